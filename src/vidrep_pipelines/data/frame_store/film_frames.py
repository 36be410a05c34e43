"""The frames of a shard as rows of an array, whether they lie there one by one or in films."""

import os
import struct
import threading
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from vidrep_pipelines.common.arrays import IntArray, Pixels
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.frame_store.contiguous import ArrayPlace, ContiguousArray, StoredRows
from vidrep_pipelines.data.frame_store.film import StoredFilm
from vidrep_pipelines.data.frame_store.shard import FILM_OFFSETS, FRAMES
from vidrep_pipelines.data.hdf5 import open_hdf5
from vidrep_pipelines.data.video.errors import UnreadableVideoError
from vidrep_pipelines.data.video.packet_reader import PacketReader

_KEPT_FILMS = 64
"""Films of a shard whose packet indices are kept."""


def open_frames(path: Path, name: str = FRAMES, place: ArrayPlace | None = None) -> StoredRows:
    """The frames (N, H, W, 3) of a shard.

    Args:
        path: The shard.
        name: Name of the array that holds them or their films.
        place: Where it was found before.

    Raises:
        InputError: It cannot be read, or is no shard.
        TooManyOpenFilesError: The process has no descriptor left for it.
    """
    array = ContiguousArray(path, name, place)
    if len(array.shape) != 1:
        return array
    try:
        return FilmedFrames(array)
    except BaseException:
        array.close()
        raise


class FilmedFrames:
    """Reads frames out of the films of a shard. Safe in threads and across a fork.

    Args:
        records: (B,) uint8, the films of all views one after the other.

    Raises:
        InputError: The file does not say where they are.
    """

    def __init__(self, records: ContiguousArray) -> None:
        self.path, self.attributes, self.place = records.path, records.attributes, records.place
        self.dtype: np.dtype[Any] = records.dtype
        self._records = records
        self._frames, self._places, self.shape = _layout(records)
        self._film = lru_cache(_KEPT_FILMS)(self._opened)
        self._readers: dict[tuple[int, int], PacketReader] = {}

    def read(self, start: int, stop: int) -> Pixels:
        """The frames from ``start`` to ``stop``, which must be in range; errors as for :meth:`read_rows`."""
        return self.read_rows(np.arange(start, stop))

    def read_rows(self, rows: IntArray) -> Pixels:
        """Frames in any order, with repetitions; each is decoded once.

        Raises:
            InputError: A film is damaged.
        """
        result = np.empty((len(rows), *self.shape[1:]), np.uint8)
        views = np.searchsorted(self._frames, rows, side="right") - 1
        for view in np.unique(views).tolist():
            places = np.flatnonzero(views == view)
            try:
                self._fill(result, places, rows[places] - self._frames[view], view)
            except (UnreadableVideoError, ValueError, struct.error) as error:
                raise InputError(
                    f"{self.path} is damaged: film {view} cannot be read ({error}). Remedy: delete the file "
                    "and run the pipeline that makes it again."
                ) from error
        return result

    def close(self) -> None:
        """Closes the file."""
        self._records.close()

    def _fill(self, result: Pixels, places: IntArray, ranks: IntArray, view: int) -> None:
        height, width = self.shape[1:3]
        film = self._film(view)
        wanted = np.unique(ranks).tolist()
        for rank, picture in self._reader().pictures(film.packets, wanted, film.index, self.path):
            result[places[ranks == rank]] = picture[:height, :width]

    def _opened(self, view: int) -> StoredFilm:
        place, end = self._places[view : view + 2].tolist()
        film = StoredFilm.opened(partial(self._bytes, place), end - place)
        frames = int(self._frames[view + 1] - self._frames[view])
        if film.index.frames != frames:
            raise ValueError(f"it has {film.index.frames} frames, the view {frames}")
        return film

    def _bytes(self, place: int, first: int, count: int) -> memoryview:
        return self._records.read(place + first, place + first + count).data

    def _reader(self) -> PacketReader:
        """Decoders belong to one thread of one process."""
        owner = (os.getpid(), threading.get_ident())
        if owner not in self._readers:
            self._readers[owner] = PacketReader()
        return self._readers[owner]


def _layout(records: ContiguousArray) -> tuple[IntArray, IntArray, tuple[int, ...]]:
    """(V + 1) first frame and first byte of every view, with the ends; and (N, H, W, 3)."""
    path = records.path
    try:
        with open_hdf5(path) as file:
            frames, places = file["video/offset"][:], file[FILM_OFFSETS][:]
        size = (int(records.attributes["height"]), int(records.attributes["width"]))
    except (OSError, KeyError) as error:
        raise InputError(f"{path} is no whole shard of frames ({error}). Remedy: make it again.") from error
    if len(frames) != len(places) or places[-1] != records.shape[0]:
        raise InputError(f"{path} holds other films than it says. Remedy: make it again.")
    return frames, places, (int(frames[-1]), *size, 3)
