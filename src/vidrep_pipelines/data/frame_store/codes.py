"""Codes (and latents) of the frames of a store: arrays beside the frames that need no description."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.frame_store.array_store import ArraysBesideFrames
from vidrep_pipelines.data.frame_store.arrays import (
    FRAMES_VERSION,
    ArrayShardWriter,
    created_array,
)
from vidrep_pipelines.data.frame_store.store import FrameSelection
from vidrep_pipelines.data.hdf5 import create_hdf5

CODES = "codes"
LATENTS = "latents"


class CodeShardWriter:
    """Fills the codes of one shard piece by piece; made by :func:`code_shard`."""

    def __init__(self, arrays: ArrayShardWriter, latents: bool) -> None:
        self._arrays, self._latents = arrays, latents

    def append(self, codes: NDArray[Any], latents: NDArray[Any] | None = None) -> None:
        """Adds the next frames.

        Args:
            codes: (n, h, w) whole numbers that fit in int16.
            latents: (n, D, h, w), if and only if the shard holds latents.

        Raises:
            InputError: A code does not fit, or latents are missing or not wanted.
        """
        if len(codes) and not 0 <= codes.min() <= codes.max() < 2**15:
            raise InputError(f"codes {codes.min()}..{codes.max()} do not fit in 16 bits with sign")
        if (latents is not None) != self._latents:
            raise InputError(
                "latents must be given for all frames of a shard that holds them, and for none else"
            )
        self._arrays.fill(CODES, codes)
        if latents is not None:
            self._arrays.fill(LATENTS, latents)

    @property
    def written(self) -> int:
        """Frames so far."""
        return self._arrays.written(CODES)


@contextmanager
def code_shard(
    path: Path,
    frames: int,
    grid: tuple[int, int],
    frames_digest: str,
    latent_channels: int | None = None,
    latent_type: DTypeLike = np.float16,
) -> Iterator[CodeShardWriter]:
    """Makes the file of codes that belongs to one shard of frames.

    Args:
        path: File to write.
        frames: Rows of the shard of frames.
        grid: h and w of the codes of a frame.
        frames_digest: Digest of the shard of frames, from ``StoreFacts.shards``.
        latent_channels: D of latents to keep beside the codes; none: no latents.
        latent_type: Floating type of the latents.

    Raises:
        InputError: Not all frames were appended.
    """
    with create_hdf5(path) as file:
        file.attrs.update({FRAMES_VERSION: frames_digest, "grid": grid})
        arrays = {CODES: created_array(file, CODES, (frames, *grid), np.int16)}
        if latent_channels is not None:
            shape = (frames, latent_channels, *grid)
            arrays[LATENTS] = created_array(file, LATENTS, shape, latent_type)
        writer = CodeShardWriter(ArrayShardWriter(arrays), latent_channels is not None)
        yield writer
        if writer.written != frames:
            raise InputError(f"{path}: {writer.written} of {frames} frames got codes.")


class CodeStore(ArraysBesideFrames):
    """Random access to the codes of the views of a frame store, made by :func:`code_shard`."""

    def codes(self, view: str, selection: FrameSelection = slice(None)) -> NDArray[np.int16]:
        """Reads codes of a view.

        Args:
            view: One of the store's ids.
            selection: A slice, or frame numbers in any order.

        Returns:
            (T, h, w) int16.

        Raises:
            InputError: There is no such view, or the codes belong to other frames.
            IndexError: A frame number is out of range.
        """
        return self._entries(CODES, view, selection)

    def latents(self, view: str, selection: FrameSelection = slice(None)) -> NDArray[Any]:
        """(T, D, h, w) latents, as :meth:`codes`; an InputError if none were kept."""
        return self._entries(LATENTS, view, selection)
