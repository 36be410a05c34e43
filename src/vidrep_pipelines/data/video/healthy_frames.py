"""Sequential decoding that stops at the first sign of damage and says what it was."""

from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, Literal

from av.video.frame import PictureType

from vidrep_pipelines.data.video.container import DECODE_ERRORS, OpenedVideo
from vidrep_pipelines.data.video.probe import claimed_duration

Verdict = Literal["healthy", "truncated"]

_MOST_B_FRAMES = 16
"""Most B-frames in succession; the limit of H.264 encoders."""

_MISSING_SECONDS = 1.0
_MISSING_SHARE = 0.05

_RESTART_SECONDS = 0.5
"""Times that go back by more are those of another recording; by less, those of B-frames."""

_SHAPE_TOLERANCE = 0.02
"""Sizes are rounded to whole blocks."""

_JOINED = ", as where files were joined byte by byte: split them"

_PACKETS_AFTER_DAMAGE = 64
"""How far to look for what comes after: another recording, if files were joined."""


class HealthyFrames:
    """Iterates once over the frames of a video in presentation order, up to the first damaged one.

    Decoders often paper over damage: a frame with broken slices comes out without an error, marked as
    corrupt, and later frames inherit the damage. Such a frame ends the iteration like an error does.
    When the iteration is over, ``verdict`` and ``detail`` tell whether everything was decoded.

    Args:
        opened: The video.
        before_decoding: Called with each packet before it goes to the decoder.
        one_shape: End where pictures of another shape begin, which cannot be brought to one size without
            squeezing them. Another size of the same shape, as of calls over the network, goes on.

    Attributes:
        count: Frames given out so far.
        detail: What was wrong, for a report; empty if nothing was.
    """

    def __init__(
        self,
        opened: OpenedVideo,
        before_decoding: Callable[[Any], None] | None = None,
        *,
        one_shape: bool = False,
    ) -> None:
        self._opened = opened
        self._one_shape = one_shape
        self._before_decoding = before_decoding
        self._packets = 0
        self._end = 0
        self._size: tuple[int, int] | None = None
        self.count = 0
        self.detail = ""

    @property
    def verdict(self) -> Verdict:
        """``"healthy"``, or ``"truncated"`` if the frames given out are only a part."""
        return "truncated" if self.detail else "healthy"

    def __iter__(self) -> Iterator[Any]:
        held: deque[Any] = deque()
        for frame in self._decode():
            if frame.is_corrupt:
                self.detail = f"frame {self.count + len(held)} is damaged"
                return
            size = frame.width, frame.height
            if self._one_shape and self._size is not None and not _same_shape(self._size, size):
                yield from self._release(held, keep=0)
                change = _change(self._size, size)
                self.detail = f"pictures of another shape begin at frame {self.count} ({change}){_JOINED}"
                return
            held.append(frame)
            self._size = size
            if frame.pict_type != PictureType.B:
                yield from self._release(held, keep=0)
            else:
                yield from self._release(held, keep=_MOST_B_FRAMES)
        yield from self._release(held, keep=0)  # decoded before whatever ended the loop
        if not self.detail:
            self.detail = self._shortfall()

    def _release(self, held: deque[Any], keep: int) -> Iterator[Any]:
        """Gives out held frames. B-frames wait for the frame after them, whose damage they may show."""
        while len(held) > keep:
            self.count += 1
            yield held.popleft()

    def _decode(self) -> Iterator[Any]:
        """Decodes packet by packet; an error is recorded, not raised."""
        packets = self._opened.container.demux(self._opened.stream)
        while True:
            try:
                packet = next(packets, None)
            except DECODE_ERRORS as error:
                self.detail = self._failure(error)
                return
            if packet is None:
                return
            if packet.is_corrupt:
                cut = f"the file ends, or is damaged, inside frame {self._packets}"
                self.detail = cut + self._what_follows(packets)
                return
            if packet.size:
                self._account(packet)
                if self._before_decoding is not None:
                    self._before_decoding(packet)
            try:
                frames = packet.decode()
            except DECODE_ERRORS as error:
                self.detail = self._failure(error)
                return
            yield from frames

    def _account(self, packet: Any) -> None:
        self._packets += 1
        # Where packets have no times, their durations are all that there is.
        start = next((stamp for stamp in (packet.pts, packet.dts) if stamp is not None), self._end)
        self._end = max(self._end, start + (packet.duration or 0))

    def _failure(self, error: Exception) -> str:
        return f"decoding failed after {self.count} frames: {_plain_message(error)}"

    def _what_follows(self, packets: Iterator[Any]) -> str:
        """What comes after a broken packet, if it is another recording; else empty.

        Where recordings were joined byte by byte, the last packets of the first one look cut off.
        """
        restarts = False
        try:
            for packet in islice(packets, _PACKETS_AFTER_DAMAGE):
                back = 0 if packet.pts is None else self._end - packet.pts
                restarts = restarts or back * self._opened.stream.time_base > _RESTART_SECONDS
                for frame in packet.decode():
                    size = frame.width, frame.height
                    if self._size is not None and size != self._size:
                        change = _change(self._size, size)
                        return f", and a recording of another size follows ({change}){_JOINED}"
        except DECODE_ERRORS:
            pass  # nothing follows that can be decoded
        return f", and a recording whose clock starts anew follows{_JOINED}" if restarts else ""

    def _shortfall(self) -> str:
        """Compares what was there with what the header promises: cut files often end without an error."""
        promised = promised_packets(self._opened)
        if promised:
            if self._packets < promised:
                return f"the header promises {promised} frames, {self._packets} are there"
            return ""
        duration = claimed_duration(self._opened)
        there = float(self._end * self._opened.stream.time_base)
        if duration - there > max(_MISSING_SECONDS, _MISSING_SHARE * duration):
            return f"the header promises {duration:.1f} s, {there:.1f} s are there"
        return ""


def promised_packets(opened: OpenedVideo) -> int:
    """Number of packets that the header lists; 0 where it holds no such list.

    The frame count of the header is not used: it includes frames that an edit list hides for good.
    """
    return len(opened.stream.index_entries) if opened.container.format.name.startswith("mov") else 0


def _same_shape(before: tuple[int, int], after: tuple[int, int]) -> bool:
    return abs(before[0] * after[1] / (after[0] * before[1]) - 1) < _SHAPE_TOLERANCE


def _change(before: tuple[int, int], after: tuple[int, int]) -> str:
    return f"{after[0]} x {after[1]} after {before[0]} x {before[1]}"


def _plain_message(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)
