"""HDF5 files of token episodes: our own, and latent files in the published layout."""

from collections.abc import Iterator
from contextlib import contextmanager
from math import isqrt
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.common.atomic import atomic_file
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.hdf5 import create_hdf5, open_hdf5
from vidrep_pipelines.data.token_episodes.episodes import ARRAYS, LARGEST_VOCABULARY, TokenEpisodes

FORMAT_VERSION = 1
_FIRST, _LAST = 0, 2


def write_token_episodes(path: Path, episodes: TokenEpisodes) -> None:
    """Writes episodes to one file, whole or not at all. Equal episodes give equal bytes."""
    text = h5py.string_dtype()
    with atomic_file(path) as temporary, create_hdf5(temporary) as file:
        file.attrs.update(format_version=FORMAT_VERSION, grid=episodes.grid, vocabulary=episodes.vocabulary)
        for name in ARRAYS:
            file[name] = getattr(episodes, name)
        file.create_dataset("names", data=list(episodes.names), dtype=text)
        file.create_dataset("splits", data=list(episodes.splits), dtype=text)
        if episodes.codebook is not None:
            file["codebook"] = episodes.codebook


def read_token_episodes(path: Path) -> TokenEpisodes:
    """Reads a file of :func:`write_token_episodes`.

    Raises:
        InputError: The file is absent, damaged or of another kind, or its content is faulty.
    """
    try:
        with open_hdf5(path) as file:
            if file.attrs.get("format_version") != FORMAT_VERSION:
                raise KeyError(f"format version {FORMAT_VERSION}")
            arrays = {name: file[name][:] for name in ARRAYS}
            names, splits = (tuple(file[name].asstr()[:]) for name in ("names", "splits"))
            grid, vocabulary = tuple(map(int, file.attrs["grid"])), int(file.attrs["vocabulary"])
            codebook = file["codebook"][:] if "codebook" in file else None
    except (OSError, KeyError, ValueError) as error:
        raise InputError(
            f"{path} is no whole file of token episodes ({error}). Remedy: extract the tokens again."
        ) from error
    rows, columns = grid
    with _naming(path):
        return TokenEpisodes(
            **arrays,
            names=names,
            splits=splits,
            grid=(rows, columns),
            vocabulary=vocabulary,
            codebook=codebook,
        )


def read_published_latents(
    path: Path,
    latents: str = "vae_latents",
    *,
    vocabulary: int,
    codebook: NDArray[np.float32] | None = None,
    split: str = "train",
) -> TokenEpisodes:
    """Reads a latent file of the published data set (the layout of V-D4RL with a column of codes).

    Args:
        path: HDF5 file with ``step_type``, ``action``, ``reward``, ``discount`` and the codes.
        latents: Name of the codes: (N, tokens) integers.
        vocabulary: Codes that the tokenizer has.
        codebook: (V, D) vectors of the codes, which these files lack.
        split: What all episodes of the file are used for.

    Raises:
        InputError: The file is damaged, or columns are missing or do not fit together.
    """
    needed = ("step_type", "action", "reward", "discount", latents)
    try:
        with open_hdf5(path) as file:
            missing = [name for name in needed if name not in file]
            if missing:
                raise InputError(f"{path} lacks {', '.join(missing)}; it has {', '.join(file)}.")
            kinds, actions, rewards, discounts, codes = (file[name][:] for name in needed)
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error}). Remedy: download it again.") from error
    return published_rows(
        codes,
        actions,
        rewards,
        discounts,
        kinds,
        vocabulary=vocabulary,
        codebook=codebook,
        split=split,
        origin=str(path),
    )


def published_rows(
    codes: NDArray[np.integer],
    actions: NDArray[np.floating],
    rewards: NDArray[np.floating],
    discounts: NDArray[np.floating],
    step_types: NDArray[np.integer],
    *,
    vocabulary: int,
    codebook: NDArray[np.float32] | None = None,
    split: str = "train",
    origin: str = "the data",
) -> TokenEpisodes:
    """Token episodes of rows in the published layout.

    Args:
        codes: (N, tokens). A square number of tokens is a square grid, another number is one row: the layout
            does not say how they lie in the frame.
        actions: (N, A).
        rewards: (N,).
        discounts: (N,).
        step_types: (N,): 0 first, 1 middle, 2 last row of an episode.
        vocabulary: Codes that the tokenizer has.
        codebook: (V, D) vectors of the codes.
        split: What all episodes are used for.
        origin: What to call the rows in an error.

    Raises:
        InputError: Episodes do not begin and end in turns, or the arrays do not fit together.
    """
    starts, lasts = (np.flatnonzero(step_types == kind) for kind in (_FIRST, _LAST))
    stops = lasts + 1
    if len(starts) == 0 or starts[0] != 0 or not np.array_equal(starts[1:], stops[:-1]):
        raise InputError(f"{origin}: step_type does not mark episodes that follow one another without gaps.")
    if stops[-1] != len(codes):
        raise InputError(f"{origin}: the last episode has no last row.")
    side = isqrt(codes.shape[1])
    grid = (side, side) if side**2 == codes.shape[1] else (1, codes.shape[1])
    if codes.size and not -LARGEST_VOCABULARY <= codes.min() <= codes.max() < LARGEST_VOCABULARY:
        raise InputError(f"{origin}: codes {codes.min()}..{codes.max()} are not in the vocabulary.")
    with _naming(origin):
        return TokenEpisodes(
            codes=codes.astype(np.int16),
            actions=actions.astype(np.float32),
            rewards=rewards.astype(np.float32),
            discounts=discounts.astype(np.float32),
            offsets=np.append(starts, stops[-1]).astype(np.int64),
            names=tuple(f"episode_{number:04d}" for number in range(len(starts))),
            splits=(split,) * len(starts),
            grid=grid,
            vocabulary=vocabulary,
            codebook=codebook,
        )


@contextmanager
def _naming(origin: Path | str) -> Iterator[None]:
    """Lets errors about the content say which file it is from."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{origin}: {error}") from error
