"""Which of the video streams of a file is the film."""

from typing import Any

from av.stream import Disposition

from vidrep_pipelines.data.video.matroska_tags import tagged_frames, tagged_seconds

_LONG_ENOUGH = 0.5
"""Share of the longest stream's length. Of streams that have it, the one with most pixels is the film."""

_PICTURE_CODECS = frozenset({"mjpeg", "png", "bmp", "gif", "webp", "tiff", "jpeg2000", "jpegls", "ppm"})


def film_stream(container: Any) -> Any | None:
    """The stream that holds the film; None if there is no video stream.

    Covers are not the film, whether they are marked as such or are single pictures beside something longer.
    Of several films the one with most pixels counts, of equal ones the first.

    Args:
        container: PyAV's input container.
    """
    streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if len(streams) < 2:
        return next(iter(streams), None)
    lengths = [_seconds(stream) for stream in streams]
    longest = max(lengths)
    if longest == 0:  # unknown
        films = [s for s in streams if _codec(s) not in _PICTURE_CODECS] or streams
    else:
        films = [s for s, length in zip(streams, lengths, strict=True) if length >= _LONG_ENOUGH * longest]
    return max(films, key=_pixels)  # the first of several


def _seconds(stream: Any) -> float:
    """Length according to the container; 0 if it does not say."""
    if frames := stream.frames or tagged_frames(stream):
        return float(frames / (stream.average_rate or stream.guessed_rate or 1))
    if stream.duration:
        return float(stream.duration * stream.time_base)
    return tagged_seconds(stream)


def _codec(stream: Any) -> str:
    return stream.codec_context.name if stream.codec_context is not None else ""


def _pixels(stream: Any) -> int:
    context = stream.codec_context
    return 0 if context is None else context.width * context.height
