"""Going once through the packets of a video, and through the frames that come out of them."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.data.video.container import DECODE_ERRORS, OpenedVideo
from vidrep_pipelines.data.video.errors import UnindexableVideoError, UnreadableVideoError
from vidrep_pipelines.data.video.frame_times import are_presentation_times, presentation_times
from vidrep_pipelines.data.video.healthy_frames import HealthyFrames, promised_packets
from vidrep_pipelines.data.video.picture_converter import picture_checksum
from vidrep_pipelines.data.video.probe import claimed_rate
from vidrep_pipelines.data.video.transport_stream import SYNC, TransportStream, detect_distance

_CONFIGURATION_VERSION = 1
_START_CODE = b"\x00\x00\x01"
_SLICE_TYPES = (1, 5)
"""``nal_unit_type`` of a slice of an ordinary picture and of an instantaneous refresh (IDR) picture."""


def length_size(extradata: bytes) -> int | None:
    """Bytes of the length field before each unit, from the ``avcC`` record; None for start-code streams."""
    if len(extradata) < 7 or extradata[0] != _CONFIGURATION_VERSION:
        return None
    return (extradata[4] & 0b11) + 1


def is_droppable(packet: bytes, size_bytes: int | None) -> bool:
    """Whether no other picture refers to this one (``nal_ref_idc`` of its first slice is 0).

    Args:
        packet: One access unit.
        size_bytes: Result of :func:`length_size`: bytes of the length before each unit; None if start codes
            separate them.
    """
    headers = _after_start_codes(packet) if size_bytes is None else _after_lengths(packet, size_bytes)
    for header in headers:
        if header & 0b11111 in _SLICE_TYPES:
            return (header >> 5) & 0b11 == 0
    return False


def _after_lengths(packet: bytes, size_bytes: int) -> Iterator[int]:
    """First byte of each unit."""
    position = 0
    while position + size_bytes < len(packet):
        yield packet[position + size_bytes]
        position += size_bytes + int.from_bytes(packet[position : position + size_bytes], "big")


def _after_start_codes(packet: bytes) -> Iterator[int]:
    position = packet.find(_START_CODE)
    while 0 <= position < len(packet) - len(_START_CODE):
        yield packet[position + len(_START_CODE)]
        position = packet.find(_START_CODE, position + len(_START_CODE))


_HEADER_BYTES = 1024
"""Most bytes between where a demuxer says that a packet begins and its data: block headers of Matroska."""

_STEP_BYTES = 1 << 16
_TIME_BYTES = 4
_MOST_WRAPPED_BYTES = 1 << 26
"""Bytes of a transport stream that are searched for the end of one packet."""


class PacketPlaces:
    """Finds the byte range of each packet of a video.

    Attributes:
        transport: How the packets are wrapped; None where they lie in the file as they are.
    """

    def __init__(self, path: Path, container: Any, stream: Any, file: Any) -> None:
        self.transport: TransportStream | None = None
        self._path, self._file = path, file
        self._pid = int(stream.id) if container.format.name == "mpegts" else None

    def find(self, position: int | None, data: bytes) -> tuple[int, int]:
        """First byte and number of bytes of the range that holds a packet, wrapped or not.

        Args:
            position: Where the demuxer says that the packet begins.
            data: The packet.

        Raises:
            UnindexableVideoError: The file does not hold the packet in one piece.
        """
        try:
            if position is None or position < 0:
                raise ValueError("its packets have no positions")
            if self._pid is not None:
                return self._wrapped(position, data)
            return self._plain(position, data)
        except (ValueError, IndexError) as error:
            raise UnindexableVideoError(
                f"{self._path}: its packets cannot be addressed by byte ranges ({error})."
            ) from error

    def _plain(self, position: int, data: bytes) -> tuple[int, int]:
        self._file.seek(position)
        after = self._file.read(len(data) + _HEADER_BYTES).find(data)
        if after < 0:
            raise ValueError("this container does not store them as plain byte ranges")
        return position + after, len(data)

    def _wrapped(self, position: int, data: bytes) -> tuple[int, int]:
        self._file.seek(position)
        wrapped = self._file.read(_STEP_BYTES)
        if not wrapped.startswith(SYNC):  # a time of four bytes comes before each piece
            position, wrapped = position + _TIME_BYTES, wrapped[_TIME_BYTES:]
        if self.transport is None:
            assert self._pid is not None
            self.transport = TransportStream(self._pid, detect_distance(wrapped))
        size = self.transport.span(wrapped, len(data))
        while size is None:
            more = self._file.read(len(wrapped))
            wrapped += more
            if not more or len(wrapped) > _MOST_WRAPPED_BYTES:
                raise ValueError("the transport stream ends within one")
            size = self.transport.span(wrapped, len(data))
        if self.transport.unwrap(memoryview(wrapped)[:size]) != data:
            raise ValueError("the transport stream wraps several of them in one")
        return position, size


class PacketSurvey:
    """What is known about the packets of a video, as columns in the order of storage.

    Args:
        opened: The video.
        file: Its bytes.

    Attributes:
        places: Where packets lie.
        offsets: First byte of each.
        sizes: Bytes of each.
        keyframes: Whether the container says that decoding can start there.
        droppable: Whether no other frame refers to the packet's.
        discarded: Whether no frame is shown for the packet.
        times: Time of each packet's frame, see :func:`.frame_times.presentation_times`.
        checksums: Checksum of each packet's picture; None unless the frames were decoded.
        rotation: Degrees counterclockwise by which frames are to be turned.
        damage: Why there is nothing after the last packet; empty if the video is whole.
    """

    def __init__(self, opened: OpenedVideo, file: Any) -> None:
        context = opened.stream.codec_context
        self.places = PacketPlaces(opened.path, opened.container, opened.stream, file)
        self.offsets: list[int] = []
        self.sizes: list[int] = []
        self.keyframes: list[bool] = []
        self.droppable: list[bool] = []
        self.discarded: NDArray[np.bool_] = np.empty(0, np.bool_)
        self.times: NDArray[np.int64] = np.empty(0, np.int64)
        self.checksums: NDArray[np.uint32] | None = None
        self.rotation = 0
        self.damage = ""
        self._opened = opened
        self._is_h264 = context.name == "h264"
        self._unit_size = length_size(bytes(context.extradata or b"")) if self._is_h264 else None
        self._stamps: list[int | None] = []
        self._hidden: list[bool] = []

    def trust(self) -> None:
        """Takes the container's word for times and order, as it may be taken for what this project wrote.

        Raises:
            UnindexableVideoError: The packets cannot be addressed, or lack times.
            UnreadableVideoError: They cannot be read, or not all of them are there.
        """
        whole = 0
        try:
            for packet in self._opened.container.demux(self._opened.stream):
                if packet.size:
                    self._append(packet)
                    whole += not packet.is_corrupt
        except DECODE_ERRORS as error:
            raise UnreadableVideoError(
                f"{self._opened.path}: its packets cannot be read ({error})."
            ) from error
        promised = promised_packets(self._opened)
        if whole < promised:
            raise UnreadableVideoError(
                f"{self._opened.path}: the header promises {promised} frames, {whole} are there."
            )
        if None in self._stamps:
            raise UnindexableVideoError(f"{self._opened.path}: its packets lack times.")
        self.times = np.array(self._stamps, np.int64)
        self.discarded = np.array(self._hidden, np.bool_)

    def verify(self) -> None:
        """Decodes every frame: their order is the decoder's, and each picture can be recognized later.

        Raises:
            UnindexableVideoError: The packets cannot be addressed, or frames not be assigned to them.
            UnreadableVideoError: Not one frame can be decoded.
        """
        shown: list[int] = []
        checksums: list[int] = []
        frames = HealthyFrames(self._opened, self._take)
        for frame in frames:
            if not shown:
                self.rotation = frame.rotation
            shown.append(-1 if frame.pts is None else frame.pts)
            checksums.append(picture_checksum(frame))
        self.damage = frames.detail
        if not shown:
            reason = self.damage or "it has a video stream without a single frame"
            raise UnreadableVideoError(f"{self._opened.path}: not one frame can be used: {reason}.")
        if len(set(shown)) < len(shown) or min(shown) < 0 or max(shown) >= len(self.sizes):
            raise UnindexableVideoError(f"{self._opened.path}: its frames cannot be assigned to packets.")
        self._arrange(np.array(shown, np.int64), np.array(checksums, np.uint32))

    def _take(self, packet: Any) -> None:
        """Notes a packet down, and numbers it: its frame comes out of the decoder with the same number."""
        self._append(packet)
        packet.pts = len(self.sizes) - 1

    def _append(self, packet: Any) -> None:
        if packet.has_sidedata("new_extradata"):
            raise UnindexableVideoError(f"{self._opened.path}: its packets change the decoder's set-up.")
        data = bytes(packet)
        offset, size = self.places.find(packet.pos, data)
        self.offsets.append(offset)
        self.sizes.append(size)
        self.keyframes.append(bool(packet.is_keyframe))
        self.droppable.append(self._is_h264 and is_droppable(data, self._unit_size))
        self._stamps.append(packet.pts)
        self._hidden.append(bool(packet.is_discard))

    def _arrange(self, shown: NDArray[np.int64], checksums: NDArray[np.uint32]) -> None:
        """Brings what is known per frame into the order of packets."""
        count = len(self.sizes)
        self.discarded = np.ones(count, np.bool_)
        self.discarded[shown] = False
        self.checksums = np.zeros(count, np.uint32)
        self.checksums[shown] = checksums
        stamps = [self._stamps[number] for number in shown]
        times = presentation_times(stamps, self._period())
        believed = are_presentation_times(stamps)
        self.times = np.empty(count, np.int64)
        self.times[shown] = times
        last = int(times[0]) - 1
        for number in range(count):
            if not self.discarded[number]:
                last = int(self.times[number])
            else:  # only tells whether the packet comes before or after others
                stamp = self._stamps[number]
                self.times[number] = stamp if believed and stamp is not None else last

    def _period(self) -> int:
        rate = claimed_rate(self._opened)
        return round(1 / (rate * Fraction(self._opened.stream.time_base))) if rate else 1
