"""Files whose packets were put together anew, as cameras, cuts and faulty programs leave them."""

from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import av
import numpy as np

from tests.helpers.videos import barcode_frames

_MILLISECOND = Fraction(1, 1000)
_MOST_DELAYED = 16
_SHOWN = 0b10000
"""The bit of a VP8 frame that is not a keyframe which says that it is shown (RFC 6386, 9.1)."""


def copy_packets(
    source: Path,
    target: Path,
    *,
    leave_out: int = 0,
    times_as_stored: bool = False,
    hide: Iterable[int] = (),
    options: dict[str, str] | None = None,
) -> Path:
    """Writes the packets of a video to another file.

    Args:
        source: Any video.
        target: The file to write; its suffix chooses the container.
        leave_out: Packets at the start that are not copied, as when a recording was tuned in to.
        times_as_stored: Gives frames the times of the order in which they are stored, not shown.
        hide: Numbers of VP8 packets whose frames are not to be shown, though others refer to them.
        options: Of the container to write.
    """
    hidden = set(hide)
    with av.open(str(source)) as read, av.open(str(target), "w", options=options or {}) as written:
        stream = written.add_stream_from_template(read.streams.video[0])
        for number, original in enumerate(islice(_packets(read), leave_out, None), start=leave_out):
            packet = _not_shown(original) if number in hidden else original
            if times_as_stored:
                packet.pts = packet.dts = number * 40
                packet.time_base = _MILLISECOND
            if packet.dts is None:  # Matroska has none for frames that come before others are shown
                packet.dts = (number - _MOST_DELAYED) * (packet.duration or 1)
            packet.stream = stream
            written.mux(packet)
    return target


def join_packets(sources: Iterable[Path], target: Path) -> Path:
    """Writes the packets of several videos into one stream, as where the size of pictures changes."""
    number, stream = 0, None
    with av.open(str(target), "w") as written:
        for source in sources:
            with av.open(str(source)) as read:
                if stream is None:
                    stream = written.add_stream_from_template(read.streams.video[0])
                for packet in _packets(read):
                    packet.time_base = _MILLISECOND
                    packet.pts = packet.dts = number * 40
                    packet.stream = stream
                    written.mux(packet)
                    number += 1
    return target


def write_with_cover(path: Path, frames: int = 12, *, marked: bool = False) -> Path:
    """A film of 96 x 64 whose first video stream is one picture of 128 x 128, marked as a cover or not."""
    with av.open(str(path), "w") as container:
        cover: Any = container.add_stream("mjpeg", rate=25)
        cover.width, cover.height, cover.pix_fmt = 128, 128, "yuvj420p"
        if marked:
            cover.disposition = av.stream.Disposition.attached_pic
        film: Any = container.add_stream("libx264", rate=25, options={"bf": "0"})
        film.width, film.height, film.pix_fmt = 96, 64, "yuv420p"
        film.codec_context.time_base = Fraction(1, 25)
        red = av.VideoFrame.from_ndarray(np.full((128, 128, 3), (200, 20, 20), np.uint8), format="rgb24")
        red.pts = 0
        for packet in [*cover.encode(red), *cover.encode(None)]:
            container.mux(packet)
        for number, picture in enumerate(barcode_frames(frames)):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(film.encode(frame))
        container.mux(film.encode(None))
    return path


def _packets(container: Any) -> Iterator[Any]:
    return (packet for packet in container.demux(video=0) if packet.size)


def _not_shown(packet: Any) -> Any:
    data = bytearray(bytes(packet))
    assert data[0] & 1, "a keyframe must be shown"
    data[0] &= ~_SHOWN & 0xFF
    changed = av.Packet(bytes(data))
    changed.pts, changed.dts, changed.time_base = packet.pts, packet.dts, packet.time_base
    changed.duration = packet.duration
    return changed
