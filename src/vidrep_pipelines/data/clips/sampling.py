"""Which frames of a clip are looked at together."""

from typing import Protocol, Self

import numpy as np
from pydantic import PositiveInt, model_validator

from vidrep_pipelines.common.arrays import Ranks
from vidrep_pipelines.common.config import FrozenConfig
from vidrep_pipelines.common.errors import InputError


class FrameSampler(Protocol):
    """Draws R groups of N frame ranks from a clip of ``frames`` frames, as an (R, N) array."""

    def __call__(self, frames: int, rng: np.random.Generator) -> Ranks:
        """Returns (R, N) ranks in [0, frames - 1]; raises InputError when the clip is too short."""
        ...


def sample_pair(
    frames: int, rng: np.random.Generator, max_distance: int = 48, min_distance: int = 4
) -> tuple[int, int]:
    """Draws an earlier and a later frame of a clip (Jang et al. 2024, section 3.1 and its published loader).

    In a clip of more than ``max_distance`` frames the first rank is uniform over
    [0, frames - max_distance - 1] and the distance uniform over [min_distance, max_distance], both ends
    included. From a shorter clip come two distinct ranks, uniform over all unordered pairs, so that their
    distance may be less than ``min_distance``.

    Args:
        frames: Number of frames of the clip.
        rng: Source of the draw.
        max_distance: Largest distance in frames, whatever the frame rate.
        min_distance: Smallest distance in frames.

    Returns:
        The two ranks, the smaller one first.

    Raises:
        InputError: The clip has fewer than two frames.
    """
    if frames < 2:
        raise InputError(f"A frame pair needs a clip of at least 2 frames, this one has {frames}.")
    if frames > max_distance:
        first = int(rng.integers(frames - max_distance))
        return first, first + int(rng.integers(min_distance, max_distance, endpoint=True))
    first, second = sorted(rng.choice(frames, size=2, replace=False).tolist())
    return first, second


class PairSampling(FrozenConfig):
    """Draws several independent frame pairs from each clip that is opened; a :class:`FrameSampler`."""

    pairs_per_clip: PositiveInt = 2
    """Pairs drawn from a clip each time it is opened (``repeated_sampling`` in the published code)."""
    max_distance: PositiveInt = 48
    """Largest distance between the two frames of a pair, in frames."""
    min_distance: PositiveInt = 4
    """Smallest distance in clips that are long enough, in frames. The published code has it as a constant."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min_distance > self.max_distance:
            raise ValueError(f"min_distance ({self.min_distance}) exceeds max_distance ({self.max_distance})")
        return self

    def __call__(self, frames: int, rng: np.random.Generator) -> Ranks:
        """Returns (R, 2) ranks with R = ``pairs_per_clip``. Raises InputError below two frames."""
        pairs = [
            sample_pair(frames, rng, self.max_distance, self.min_distance) for _ in range(self.pairs_per_clip)
        ]
        return np.array(pairs, dtype=np.int64)
