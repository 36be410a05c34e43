"""Random access to the frames of a video: one interface to three readers."""

import logging
import os
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.video.container import open_video
from vidrep_pipelines.data.video.decord_reader import read_with_decord
from vidrep_pipelines.data.video.errors import UnreadableVideoError, WrongPictureError
from vidrep_pipelines.data.video.healthy_frames import HealthyFrames
from vidrep_pipelines.data.video.packet_index import PacketIndex
from vidrep_pipelines.data.video.packet_index_file import load_packet_index
from vidrep_pipelines.data.video.packet_reader import PacketReader
from vidrep_pipelines.data.video.picture_converter import PictureConverter
from vidrep_pipelines.data.video.stored_video import holding_file

T = TypeVar("T")
_Key = tuple[str, str, int, int]


class FileMemory:
    """Remembers the results of functions of a file; what was not asked for longest is forgotten first.

    Args:
        capacity: How many results are kept.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._results: OrderedDict[_Key, Any] = OrderedDict()

    def recall(self, path: Path, make: Callable[[Path], T]) -> T:
        """``make(path)``, unless it was made before for the same state of the file. Errors are not kept."""
        key = _key(path, make)
        if key is None:
            return make(path)  # raises with the reason
        if key not in self._results:
            self._results[key] = make(path)
        self._results.move_to_end(key)
        if len(self._results) > self._capacity:
            self._results.popitem(last=False)
        return cast(T, self._results[key])

    def replace(self, path: Path, make: Callable[[Path], T], result: T) -> None:
        """Lets ``recall(path, make)`` return ``result`` from now on."""
        key = _key(path, make)
        if key is not None:
            self._results[key] = result

    def meets_again(self, path: Path) -> bool:
        """Whether this was asked before about the same state of the file."""
        known = _key(path, _acquaintance) in self._results
        self.recall(path, _acquaintance)
        return known


def _acquaintance(path: Path) -> Path:
    """All that there is to remember about having met a file."""
    return path


def _key(path: Path, make: Callable[[Path], Any]) -> _Key | None:
    try:
        status = holding_file(path).stat()
    except OSError:
        return None
    return make.__name__, str(path), status.st_size, status.st_mtime_ns


def read_sequentially(path: Path, ranks: Sequence[int]) -> dict[int, NDArray[np.uint8]]:
    """Decodes up to the last wanted frame.

    Args:
        path: Any video.
        ranks: Ascending, not negative.

    Returns:
        (H, W, 3) per rank, upright.

    Raises:
        IndexError: The video is shorter.
        UnreadableVideoError: The video is damaged before the last wanted frame.
    """
    wanted, last = set(ranks), max(ranks)
    pictures: dict[int, NDArray[np.uint8]] = {}
    converter = PictureConverter()
    with open_video(path) as opened:
        frames = HealthyFrames(opened)
        for rank, frame in enumerate(frames):
            if rank in wanted:
                pictures[rank] = converter.upright_rgb(frame, frame.rotation)
            if rank == last:
                return pictures
    if frames.detail:
        raise UnreadableVideoError(f"{path}: {frames.detail}.")
    raise IndexError(f"{path} has {frames.count} frames, there is no frame {last}.")


def count_by_decoding(path: Path) -> int:
    """Number of frames that decode without damage.

    Raises:
        UnreadableVideoError: The file cannot be opened.
    """
    with open_video(path) as opened:
        frames = HealthyFrames(opened)
        for _ in frames:
            pass
        return frames.count


ReaderName = Literal["auto", "index", "decord", "pyav"]
Pictures = dict[int, NDArray[np.uint8]]

_log = logging.getLogger(__name__)
_REMEMBERED_RESULTS = 1024
"""Files of which a reader remembers the index, or that they were read before."""


class FrameReader:
    """Reads frames by rank. Keep one per worker: it remembers decoders and packet indices.

    It may be pickled and may cross a fork; whatever it remembers is then built anew in the other process.
    Not to be shared between threads.

    Args:
        reader: ``"auto"`` reads by packet index where there is one or where it pays to make one, and decodes
            from the start otherwise. ``"index"`` and ``"pyav"`` always do the one or the other. ``"decord"``
            uses that library, which returns other frames than were asked for from some files.
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
                the file as it is now, the first read decodes from the start up to the last wanted frame. The
                second makes an index, by decoding the whole file once, which later ones use.

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
        return _stack(pictures, wanted, distinct, Path(path))

    def count(self, path: Path, index: PacketIndex | Path | None = None) -> int:
        """Number of frames of a video: from its index if there is one, else by decoding all of it.

        Raises:
            UnreadableVideoError: The file cannot be opened.
        """
        self._forget_after_fork()
        packets = self._fresh_index(Path(path), index)
        packets = packets or self._memory.recall(Path(path), _build_if_possible)
        return count_by_decoding(Path(path)) if packets is None else packets.frames

    def _read_distinct(self, path: Path, ranks: list[int], index: PacketIndex | Path | None) -> Pictures:
        if self._choice == "pyav":
            return read_sequentially(path, ranks)
        if self._choice == "decord":
            return read_with_decord(path, ranks)
        packets = self._fresh_index(path, index)
        if self._choice == "index":
            return self._read_indexed(path, ranks, packets or self._memory.recall(path, _build))
        if packets is None and self._memory.meets_again(path):
            packets = self._memory.recall(path, _build_if_possible)
        if packets is not None:
            try:
                return self._read_indexed(path, ranks, packets)
            except UnreadableVideoError as error:
                # Rare, so slowness does not matter: decoding from the start decides what there is to see.
                _log.info("%s Decoding from the start instead.", error)
                if isinstance(error, WrongPictureError):
                    self._memory.replace(path, _build_if_possible, None)
        return read_sequentially(path, ranks)

    def _read_indexed(self, path: Path, ranks: list[int], index: PacketIndex) -> Pictures:
        if ranks[-1] >= index.frames:
            if index.damage:
                raise UnreadableVideoError(f"{path}: {index.damage}.")
            raise IndexError(f"{path} has {index.frames} frames, there is no frame {ranks[-1]}.")
        return self._packets.read(path, ranks, index)

    def _fresh_index(self, path: Path, index: PacketIndex | Path | None) -> PacketIndex | None:
        """The given index if it describes the file as it is."""
        given = self._load(index) if isinstance(index, Path) else index
        file = holding_file(path)
        if given is None or not file.is_file():
            return None
        if given.stamp.matches(file):
            return given
        _log.warning("%s has changed since it was indexed; the index is not used.", path)
        return None

    def _load(self, file: Path) -> PacketIndex | None:
        try:
            return self._memory.recall(file, load_packet_index)
        except InputError as error:
            if not self._warned:  # without the indices of a whole folder, one line is enough
                _log.warning(
                    "%s Videos are read without it, and so are others without further notice.", error
                )
            self._warned = True
            return None

    def _forget_after_fork(self) -> None:
        """Decoders made before a fork must not be used after it."""
        if self._process != os.getpid():
            self._forget()

    def _forget(self) -> None:
        self._process = os.getpid()
        self._packets = PacketReader()
        self._warned = False
        self._memory = FileMemory(_REMEMBERED_RESULTS)


def read_frames(
    path: Path,
    ranks: Sequence[int] | NDArray[np.integer[Any]],
    index: PacketIndex | Path | None = None,
    reader: ReaderName = "auto",
) -> NDArray[np.uint8]:
    """Reads frames once, as :meth:`FrameReader.read` does; for many reads keep a :class:`FrameReader`."""
    return FrameReader(reader).read(path, ranks, index)


def count_frames(path: Path) -> int:
    """Number of frames of a video, see :meth:`FrameReader.count`."""
    return FrameReader().count(path)


def _build(path: Path) -> PacketIndex:
    return PacketIndex.build(path)


def _build_if_possible(path: Path) -> PacketIndex | None:
    try:
        return PacketIndex.build(path)
    except UnreadableVideoError:  # damaged or of another kind: the other readers see how far they get
        return None


def _stack(pictures: Pictures, wanted: list[int], distinct: list[int], path: Path) -> NDArray[np.uint8]:
    shape = pictures[distinct[0]].shape
    frames = np.empty((len(wanted), *shape), np.uint8)
    for place, rank in enumerate(wanted):
        picture = pictures[rank]
        if picture.shape != shape:
            first, other = (f"{size[1]} x {size[0]}" for size in (shape, picture.shape))
            raise UnreadableVideoError(
                f"{path}: the size of its pictures changes from {first} (frame {distinct[0]}) to {other} "
                f"(frame {rank}). Resize it first, or read frames of one size at a time."
            )
        frames[place] = picture
    return frames
