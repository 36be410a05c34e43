"""Seeds derived from names and numbers, so that a draw depends on what it is for and on nothing else."""

import hashlib

import numpy as np


def seed_for(*parts: int | str) -> int:
    """Derives a seed in [0, 2**63) from the parts, for example ``seed_for(seed, epoch, index)``.

    The derivation is a hash: neighboring parts give unrelated seeds, on every platform the same.
    """
    text = "\x1f".join(f"{type(part).__name__}:{part}" for part in parts)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little") >> 1


def generator_for(*parts: int | str) -> np.random.Generator:
    """A NumPy generator seeded by ``seed_for(*parts)``."""
    return np.random.default_rng(seed_for(*parts))
