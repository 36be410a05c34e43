"""The packet index: where in a file each compressed frame lies, so that frames are read by byte range.

With it, reading a frame needs no opening of the container, no search and no rebuilding of a decoder: one read
of the bytes from the last keyframe to the wanted frame, fed to a decoder that is kept.
"""

import hashlib
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.data.video.container import DECODE_ERRORS, OpenedVideo, open_video
from vidrep_pipelines.data.video.errors import UnindexableVideoError, UnreadableVideoError
from vidrep_pipelines.data.video.h264_units import is_droppable, length_size
from vidrep_pipelines.data.video.probe import claimed_rate
from vidrep_pipelines.data.video.stored_video import StoredVideo, locate

INDEXABLE_CODECS = frozenset({"h264", "hevc", "vp9", "av1", "libdav1d"})
"""Decoders that need nothing but the extradata and the packets, one packet per frame."""

_FINGERPRINT_BYTES = 1 << 16


@dataclass(frozen=True)
class FileStamp:
    """What tells one state of a file from another.

    Attributes:
        bytes: Size of the video.
        mtime_ns: Time of the file's last change; renaming keeps it, some ways of copying do not.
        fingerprint: Digest of the first 64 KiB, which hold the header with the table of all frame sizes.
        start: First byte of the video in the file; 0 unless it lies in an archive.
    """

    bytes: int
    mtime_ns: int
    fingerprint: str
    start: int = 0

    @classmethod
    def of(cls, stored: StoredVideo) -> "FileStamp":
        """Takes the stamp of a video."""
        mtime_ns = stored.file.stat().st_mtime_ns
        return cls(stored.bytes, mtime_ns, _fingerprint(stored), stored.start)

    def matches(self, file: Path) -> bool:
        """Whether ``file`` still has this content. Usually decided without reading from it.

        Args:
            file: The video, or the archive that holds it.
        """
        status = file.stat()
        end = self.start + self.bytes
        if status.st_size < end if self.start else status.st_size != end:
            return False
        if status.st_mtime_ns == self.mtime_ns:
            return True
        return _fingerprint(StoredVideo(file, self.start, self.bytes)) == self.fingerprint


@dataclass(frozen=True, eq=False)
class PacketIndex:
    """The packets of one video stream, in the order in which they are stored and decoded.

    Attributes:
        codec: FFmpeg's name of the decoder.
        extradata: The decoder's set-up bytes from the container's header.
        width: Stored width in pixels, before rotation.
        height: Stored height in pixels, before rotation.
        rotation: Degrees counterclockwise by which frames are to be turned.
        time_base: Seconds per unit of ``times``.
        frames_per_second: Average rate.
        offsets: (P,) int64, first byte of each packet in the file.
        sizes: (P,) int64, bytes of each packet.
        times: (P,) int64, presentation times.
        keyframes: (P,) bool, decoding can start here.
        droppable: (P,) bool, no other frame refers to this one.
        discarded: (P,) bool, an edit list hides this frame.
        source_seconds: (N,) float64, true time of each presented frame when the file was made from one with
            uneven timestamps; None otherwise.
        stamp: The state of the file that is described.
    """

    codec: str
    extradata: bytes
    width: int
    height: int
    rotation: int
    time_base: Fraction
    frames_per_second: float
    offsets: NDArray[np.int64]
    sizes: NDArray[np.int64]
    times: NDArray[np.int64]
    keyframes: NDArray[np.bool_]
    droppable: NDArray[np.bool_]
    discarded: NDArray[np.bool_]
    source_seconds: NDArray[np.float64] | None
    stamp: FileStamp

    @cached_property
    def presented(self) -> NDArray[np.int64]:
        """(N,) packet number of each frame in presentation order."""
        order = np.argsort(self.times, kind="stable")
        return order[~self.discarded[order]]

    @property
    def frames(self) -> int:
        """Number of frames that are presented."""
        return len(self.presented)

    @property
    def seconds(self) -> NDArray[np.float64]:
        """(N,) time of each presented frame in seconds, the source's true times where they are known."""
        if self.source_seconds is not None:
            return self.source_seconds
        return np.asarray(self.times[self.presented] * float(self.time_base))

    @classmethod
    def build(cls, path: Path, source_seconds: NDArray[np.float64] | None = None) -> "PacketIndex":
        """Indexes a file by taking its packets apart; only the first frame is decoded.

        Args:
            path: An MP4 or MOV file (others rarely store packets as plain byte ranges).
            source_seconds: True time of each presented frame, if the file's own times are not.

        Raises:
            UnindexableVideoError: The file is a video of a kind that cannot be addressed by byte range.
            UnreadableVideoError: The file is damaged or no video.
        """
        with open_video(path) as opened:
            stored = locate(path)
            stamp = FileStamp.of(stored)  # before the packets, so that a change meanwhile shows
            _require_codec(opened)
            packets = _Packets.collect(opened, stored)
            stream, context = opened.stream, opened.stream.codec_context
            index = cls(
                codec=context.name,
                extradata=bytes(context.extradata or b""),
                width=context.width,
                height=context.height,
                rotation=packets.rotation,
                time_base=Fraction(stream.time_base),
                frames_per_second=float(claimed_rate(opened) or 0),
                offsets=np.array(packets.offsets, np.int64) + stored.start,
                sizes=np.array(packets.sizes, np.int64),
                times=np.array(packets.times, np.int64),
                keyframes=np.array(packets.keyframes, np.bool_),
                droppable=np.array(packets.droppable, np.bool_),
                discarded=np.array(packets.discarded, np.bool_),
                source_seconds=source_seconds,
                stamp=stamp,
            )
        _require_consistent(index, path)
        return index


class _Packets:
    """Columns of an index being collected."""

    def __init__(self) -> None:
        self.offsets: list[int] = []
        self.sizes: list[int] = []
        self.times: list[int] = []
        self.keyframes: list[bool] = []
        self.droppable: list[bool] = []
        self.discarded: list[bool] = []
        self.rotation = 0
        self._rotation_known = False

    @classmethod
    def collect(cls, opened: OpenedVideo, stored: StoredVideo) -> "_Packets":
        packets = cls()
        context = opened.stream.codec_context
        unit_size = length_size(bytes(context.extradata or b"")) if context.name == "h264" else None
        with stored.open() as file:
            try:
                for packet in opened.container.demux(opened.stream):
                    packets._learn_rotation(packet)
                    if packet.size:
                        packets._append(packet, file, unit_size, opened.path)
            except DECODE_ERRORS as error:
                raise UnreadableVideoError(f"{opened.path}: its packets cannot be read ({error}).") from error
        return packets

    def _append(self, packet: Any, file: Any, unit_size: int | None, path: Path) -> None:
        data = bytes(packet)
        if packet.pts is None or packet.pos is None or packet.has_sidedata("new_extradata"):
            raise UnindexableVideoError(
                f"{path}: its packets lack times or positions, or change the decoder."
            )
        file.seek(max(packet.pos, 0))
        if file.read(len(data)) != data:
            raise UnindexableVideoError(
                f"{path}: this container does not store packets as plain byte ranges."
            )
        self.offsets.append(packet.pos)
        self.sizes.append(len(data))
        self.times.append(packet.pts)
        self.keyframes.append(bool(packet.is_keyframe))
        self.droppable.append(unit_size is not None and is_droppable(data, unit_size))
        self.discarded.append(bool(packet.is_discard))

    def _learn_rotation(self, packet: Any) -> None:
        """Rotation is only exposed on decoded frames, so packets are decoded until the first one comes."""
        if not self._rotation_known:
            for frame in packet.decode():
                self.rotation, self._rotation_known = frame.rotation, True


def _require_codec(opened: OpenedVideo) -> None:
    name = opened.stream.codec_context.name
    if name not in INDEXABLE_CODECS:
        raise UnindexableVideoError(f"{opened.path}: packets of the codec {name} are not indexed.")


def _require_consistent(index: PacketIndex, path: Path) -> None:
    """Every presented frame must have a time of its own and a keyframe before it."""
    if index.frames == 0:
        raise UnreadableVideoError(f"{path}: it has a video stream without a single frame.")
    if len(np.unique(index.times)) < len(index.times):
        raise UnindexableVideoError(f"{path}: several of its frames have the same time.")
    first = index.presented[0]
    keyframe_times = index.times[: first + 1][index.keyframes[: first + 1]]
    if not (keyframe_times <= index.times[first]).any():
        raise UnindexableVideoError(f"{path}: its first frames have no keyframe before them.")
    if index.source_seconds is not None and len(index.source_seconds) != index.frames:
        raise UnreadableVideoError(
            f"{path}: {len(index.source_seconds)} frames were written, {index.frames} are in the file."
        )


def _fingerprint(stored: StoredVideo) -> str:
    with stored.open() as file:
        return hashlib.blake2b(file.read(_FINGERPRINT_BYTES), digest_size=8).hexdigest()
