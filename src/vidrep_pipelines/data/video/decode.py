"""Random access to the frames of a video: one interface, three readers, identical bytes."""

import logging
import os
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.video.decord_reader import decord_is_exact, read_with_decord
from vidrep_pipelines.data.video.errors import UnreadableVideoError
from vidrep_pipelines.data.video.packet_index import PacketIndex
from vidrep_pipelines.data.video.packet_index_file import load_packet_index
from vidrep_pipelines.data.video.packet_reader import PacketReader
from vidrep_pipelines.data.video.sequential_reader import count_by_decoding, read_sequentially
from vidrep_pipelines.data.video.stored_video import holding_file

ReaderName = Literal["auto", "index", "decord", "pyav"]
Pictures = dict[int, NDArray[np.uint8]]

_log = logging.getLogger(__name__)
_REMEMBERED_INDICES = 512


class FrameReader:
    """Reads frames by rank. Keep one per worker: it remembers decoders and packet indices.

    It may be pickled and may cross a fork; whatever it remembers is then built anew in the other process.
    Not to be shared between threads.

    Args:
        reader: ``"index"`` reads byte ranges (MP4 and MOV), ``"decord"`` and ``"pyav"`` (decodes from the
            start) take any file. ``"auto"`` takes the first of these that is exact for the file.
    """

    _warned: bool

    def __init__(self, reader: ReaderName = "auto") -> None:
        self._choice = reader
        self._forget()

    def __getstate__(self) -> dict[str, Any]:
        return {"reader": self._choice}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._choice = state["reader"]
        self._forget()

    def read(
        self,
        path: Path,
        ranks: Sequence[int] | NDArray[np.integer[Any]],
        index: PacketIndex | Path | None = None,
    ) -> NDArray[np.uint8]:
        """Reads frames of one video.

        Args:
            path: The video; in a tar archive, the path of the archive followed by the name of the member.
            ranks: Frame numbers in presentation order from 0, in any order, with repetitions.
            index: The video's packet index or the file that holds it. Without one, or if it does not describe
                the file as it is now, an index is built (a few milliseconds) where the format admits it.

        Returns:
            (N, H, W, 3) uint8 RGB, upright, one frame per rank in the given order.

        Raises:
            IndexError: A rank is negative or beyond the last frame.
            UnreadableVideoError: The file, or a wanted frame, is damaged.
        """
        self._forget_after_fork()
        wanted = [int(rank) for rank in ranks]
        if min(wanted, default=0) < 0:
            raise IndexError(f"{path}: frame numbers start at 0, {min(wanted)} was asked for.")
        distinct = sorted(set(wanted)) or [0]
        pictures = self._read_distinct(Path(path), distinct, index)
        return _stack(pictures, wanted, distinct)

    def count(self, path: Path, index: PacketIndex | Path | None = None) -> int:
        """Number of frames of a video: from the packets where possible, else by decoding all of it.

        Raises:
            UnreadableVideoError: The file cannot be opened.
        """
        self._forget_after_fork()
        found = self._fresh_index(Path(path), index)
        return count_by_decoding(Path(path)) if found is None else found.frames

    def _read_distinct(self, path: Path, ranks: list[int], index: PacketIndex | Path | None) -> Pictures:
        if self._choice == "pyav":
            return read_sequentially(path, ranks)
        if self._choice == "decord":
            return read_with_decord(path, ranks)
        found = self._fresh_index(path, index)
        if self._choice == "index":
            return self._read_indexed(path, ranks, found or PacketIndex.build(path))
        try:
            if found is not None:
                return self._read_indexed(path, ranks, found)
            if self._decord_is_exact(path):
                return read_with_decord(path, ranks)
        except UnreadableVideoError as error:
            # Rare, so slowness does not matter: decoding from the start decides whether it is damaged.
            _log.info("%s Decoding from the start instead.", error)
        return read_sequentially(path, ranks)

    def _read_indexed(self, path: Path, ranks: list[int], index: PacketIndex) -> Pictures:
        if ranks[-1] >= index.frames:
            raise IndexError(f"{path} has {index.frames} frames, there is no frame {ranks[-1]}.")
        return self._packets.read(path, ranks, index)

    def _fresh_index(self, path: Path, index: PacketIndex | Path | None) -> PacketIndex | None:
        """The given index if it is usable, else one built on demand; None if the file cannot be indexed."""
        given = self._load(index) if isinstance(index, Path) else index
        file = holding_file(path)
        if given is not None and file.is_file():
            if given.stamp.matches(file):
                return given
            _log.warning("%s has changed since it was indexed; the index is built again in memory.", path)
        return cast("PacketIndex | None", self._remembered(path, _build_if_possible))

    def _load(self, file: Path) -> PacketIndex | None:
        try:
            return cast(PacketIndex, self._remembered(file, load_packet_index))
        except InputError as error:
            if not self._warned:  # without the indices of a whole folder, one line is enough
                _log.warning(
                    "%s It is built again in memory, and so are others without further notice.", error
                )
            self._warned = True
            return None

    def _decord_is_exact(self, path: Path) -> bool:
        return bool(self._remembered(path, decord_is_exact))

    def _remembered(self, path: Path, make: Callable[[Path], object]) -> object:
        """``make(path)``, unless it was made before for the same state of the file."""
        try:
            status = holding_file(path).stat()
        except OSError:
            return make(path)  # raises with the reason
        key = (make.__name__, str(path), status.st_size, status.st_mtime_ns)
        if key not in self._known:
            self._known[key] = make(path)
        self._known.move_to_end(key)
        if len(self._known) > _REMEMBERED_INDICES:
            self._known.popitem(last=False)
        return self._known[key]

    def _forget_after_fork(self) -> None:
        """Decoders made before a fork must not be used after it."""
        if self._process != os.getpid():
            self._forget()

    def _forget(self) -> None:
        self._process = os.getpid()
        self._packets = PacketReader()
        self._warned = False
        self._known: OrderedDict[tuple[str, str, int, int], Any] = OrderedDict()


def read_frames(
    path: Path,
    ranks: Sequence[int] | NDArray[np.integer[Any]],
    index: PacketIndex | Path | None = None,
    reader: ReaderName = "auto",
) -> NDArray[np.uint8]:
    """Reads frames once; for many reads keep a :class:`FrameReader` and call its ``read``, which see."""
    return FrameReader(reader).read(path, ranks, index)


def count_frames(path: Path) -> int:
    """Number of frames of a video, see :meth:`FrameReader.count`."""
    return FrameReader().count(path)


def _build_if_possible(path: Path) -> PacketIndex | None:
    try:
        return PacketIndex.build(path)
    except UnreadableVideoError:  # damaged or of another kind: the other readers see how far they get
        return None


def _stack(pictures: Pictures, wanted: list[int], distinct: list[int]) -> NDArray[np.uint8]:
    shape = pictures[distinct[0]].shape
    frames = np.empty((len(wanted), *shape), np.uint8)
    for place, rank in enumerate(wanted):
        frames[place] = pictures[rank]
    return frames
