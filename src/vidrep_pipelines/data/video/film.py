"""Films for people to look at: small, and played by every browser."""

from pathlib import Path
from typing import Any

import av
import numpy as np
from av.stream import Disposition
from av.video.reformatter import VideoReformatter

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.video.encoder_instructions import reproducible_options
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


_OPTIONS = {"crf": "18", "preset": "medium"}


def write_film(path: Path, frames: "np.ndarray[Any, np.dtype[np.uint8]]", frames_per_second: int) -> None:
    """Writes frames as H.264 in an MP4 container. Equal frames give equal bytes.

    Args:
        path: The file.
        frames: (T, H, W, 3) RGB; height and width must be even.
        frames_per_second: Rate.

    Raises:
        InputError: The frames cannot be encoded.
    """
    if frames.ndim != 4 or not len(frames) or frames.shape[1] % 2 or frames.shape[2] % 2:
        raise InputError(f"A film needs frames (T, H, W, 3) with even sides, not {frames.shape}.")
    with av.open(str(path.absolute()), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        options = _OPTIONS | reproducible_options()
        stream = container.add_stream("libx264", rate=frames_per_second, options=options)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        stream.codec_context.thread_count = 1
        scaler = VideoReformatter()
        for pixels in frames:
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            container.mux(stream.encode(scaler.reformat(frame, format="yuv420p", threads=1)))
        container.mux(stream.encode(None))
