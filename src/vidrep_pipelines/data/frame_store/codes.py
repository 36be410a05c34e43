"""Codes (and latents) of the frames of a store: the same views, the same places, other arrays."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import DTypeLike, NDArray

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.frame_store.contiguous import OpenArrays
from vidrep_pipelines.data.frame_store.store import FrameSelection, FrameStore, read_selection
from vidrep_pipelines.data.hdf5 import create_hdf5

CODES = "codes"
LATENTS = "latents"
_FRAMES_VERSION = "frames_digest"


class CodeShardWriter:
    """Fills the arrays of one shard piece by piece; made by :func:`code_shard`."""

    def __init__(self, codes: h5py.Dataset, latents: h5py.Dataset | None) -> None:
        self._codes, self._latents, self._written = codes, latents, 0

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
        if (latents is None) != (self._latents is None):
            raise InputError(
                "latents must be given for all frames of a shard that holds them, and for none else"
            )
        stop = self._written + len(codes)
        self._codes[self._written : stop] = codes
        if self._latents is not None:
            self._latents[self._written : stop] = latents
        self._written = stop

    @property
    def written(self) -> int:
        """Frames so far."""
        return self._written


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
        file.attrs.update({_FRAMES_VERSION: frames_digest, "grid": grid})
        codes = file.create_dataset(CODES, (frames, *grid), np.int16, fill_time="never")
        latents = None
        if latent_channels is not None:
            shape = (frames, latent_channels, *grid)
            latents = file.create_dataset(LATENTS, shape, latent_type, fill_time="never")
        writer = CodeShardWriter(codes, latents)
        yield writer
        if writer.written != frames:
            raise InputError(f"{path}: {writer.written} of {frames} frames got codes.")


class CodeStore:
    """Random access to the codes of the views of a frame store. Picklable, like the store.

    Args:
        folder: Where the shards of codes are, under the names of the shards of frames.
        store: The frames that the codes were made of; its selection of views holds for the codes too.
    """

    def __init__(self, folder: Path, store: FrameStore) -> None:
        self.folder, self.store = Path(folder), store
        self._codes, self._latents = (
            OpenArrays(self.folder, name, _FRAMES_VERSION, store.facts.shards) for name in (CODES, LATENTS)
        )

    def frames(self, view: str, selection: FrameSelection = slice(None)) -> NDArray[np.uint8]:
        """(T, H, W, 3) uint8: the frames themselves, see :meth:`FrameStore.frames`."""
        return self.store.frames(view, selection)

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
        return self._read(self._codes, view, selection)

    def latents(self, view: str, selection: FrameSelection = slice(None)) -> NDArray[Any]:
        """(T, D, h, w) latents, as :meth:`codes`; an InputError if none were kept."""
        return self._read(self._latents, view, selection)

    def close(self) -> None:
        """Closes all files of codes."""
        self._codes.close()
        self._latents.close()

    def _read(self, arrays: OpenArrays, view: str, selection: FrameSelection) -> NDArray[Any]:
        shard, start, frames = self.store.index.frames(self.store.index.position(view))
        return read_selection(arrays[shard], start, frames, selection)
