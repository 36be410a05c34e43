"""The packet index: where in a file each compressed frame lies, so that frames are read by byte range.

With it, reading a frame needs no opening of the container, no search and no rebuilding of a decoder: one read
of the bytes from the last keyframe to the wanted frame, fed to a decoder that is kept.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.data.video.container import OpenedVideo, open_video
from vidrep_pipelines.data.video.errors import UnindexableVideoError, UnreadableVideoError
from vidrep_pipelines.data.video.packet_survey import PacketSurvey
from vidrep_pipelines.data.video.probe import claimed_rate
from vidrep_pipelines.data.video.stored_video import StoredVideo, locate
from vidrep_pipelines.data.video.transport_stream import TransportStream

INDEXABLE_CODECS = frozenset({"h264", "hevc", "vp8", "vp9", "av1", "libdav1d"})
"""Decoders that need nothing but the extradata and the packets."""

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
        offsets: (P,) int64, first byte of the range of the file that holds each packet.
        sizes: (P,) int64, bytes of that range.
        times: (P,) int64, times at which frames are shown; those of frames that are shown all differ.
        keyframes: (P,) bool, decoding can start here.
        droppable: (P,) bool, no other frame refers to this one.
        discarded: (P,) bool, no frame is shown for this packet: an edit list hides it, others refer to it
            without it being shown, it completes the frame of the packet before, or what it refers to is not
            there.
        source_seconds: (N,) float64, true time of each presented frame when the file was made from one with
            uneven timestamps; None otherwise.
        stamp: The state of the file that is described.
        checksums: (P,) uint32, checksum of each packet's picture as decoding from the start gives it, see
            :func:`.picture_checksum.picture_checksum`; None for clips that this project encoded.
        transport: How packets are wrapped within their ranges; None if they are not.
        damage: What ended the decoding, if the file is damaged; frames after it are not indexed.
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
    checksums: NDArray[np.uint32] | None = None
    transport: TransportStream | None = None
    damage: str = ""

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
        """Indexes any file, by decoding all of it once.

        Containers err about the order of frames and about where decoding can start. So the order is taken
        from the decoder, and a checksum of every picture lets readers notice when they get another one.

        Args:
            path: The video.
            source_seconds: True time of each presented frame, if the file's own times are not.

        Raises:
            UnindexableVideoError: The file is a video of a kind that cannot be addressed by byte range.
            UnreadableVideoError: The file is damaged from the start, or no video.
        """
        return cls._survey(path, source_seconds, PacketSurvey.verify)

    @classmethod
    def of_clip(
        cls, path: Path, frames: int | None = None, source_seconds: NDArray[np.float64] | None = None
    ) -> "PacketIndex":
        """Indexes a clip that this project has encoded. Nothing is decoded: its container is right.

        Args:
            path: The clip.
            frames: How many frames were written, if that is known.
            source_seconds: True time of each frame, if they were uneven.

        Raises:
            UnindexableVideoError: It is no such clip: its frames are at uneven distances, or lack times.
            UnreadableVideoError: The file holds another number of frames, is damaged, or is no video.
        """
        index = cls._survey(path, source_seconds, PacketSurvey.trust)
        if frames not in (None, index.frames):
            raise UnreadableVideoError(
                f"{path}: {frames} frames were written, {index.frames} are in the file."
            )
        distances = np.diff(index.times[index.presented])
        if len(distances) and np.ptp(distances) > 1:  # times are rounded to ticks
            raise UnindexableVideoError(f"{path}: its frames are at uneven distances, unlike those of clips.")
        return index

    @classmethod
    def _survey(
        cls,
        path: Path,
        source_seconds: NDArray[np.float64] | None,
        survey_packets: Callable[[PacketSurvey], None],
    ) -> "PacketIndex":
        with open_video(path) as opened:
            stored = locate(path)
            stamp = FileStamp.of(stored)  # before the packets, so that a change meanwhile shows
            _require_codec(opened)
            stream, context = opened.stream, opened.stream.codec_context
            # Before decoding, which may change them.
            size, extradata = (context.width, context.height), bytes(context.extradata or b"")
            with stored.open() as file:
                survey = PacketSurvey(opened, file)
                survey_packets(survey)
            index = cls(
                codec=context.name,
                extradata=extradata,
                width=size[0],
                height=size[1],
                rotation=survey.rotation,
                time_base=Fraction(stream.time_base),
                frames_per_second=float(claimed_rate(opened) or 0),
                offsets=np.array(survey.offsets, np.int64) + stored.start,
                sizes=np.array(survey.sizes, np.int64),
                times=survey.times,
                keyframes=np.array(survey.keyframes, np.bool_),
                droppable=np.array(survey.droppable, np.bool_),
                discarded=survey.discarded,
                source_seconds=source_seconds,
                stamp=stamp,
                checksums=survey.checksums,
                transport=survey.places.transport,
                damage=survey.damage,
            )
        _require_consistent(index, path)
        return index


def _require_codec(opened: OpenedVideo) -> None:
    name = opened.stream.codec_context.name
    if name not in INDEXABLE_CODECS:
        raise UnindexableVideoError(f"{opened.path}: packets of the codec {name} are not indexed.")


def _require_consistent(index: PacketIndex, path: Path) -> None:
    """Every presented frame must have a time of its own."""
    if index.frames == 0:
        raise UnreadableVideoError(f"{path}: it has a video stream without a single frame.")
    if len(np.unique(index.times[index.presented])) < index.frames:
        raise UnindexableVideoError(f"{path}: several of its frames have the same time.")
    if index.source_seconds is not None and len(index.source_seconds) != index.frames:
        raise UnreadableVideoError(
            f"{path}: {len(index.source_seconds)} frames were written, {index.frames} are in the file."
        )


def _fingerprint(stored: StoredVideo) -> str:
    with stored.open() as file:
        return hashlib.blake2b(file.read(_FINGERPRINT_BYTES), digest_size=8).hexdigest()
