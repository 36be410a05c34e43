"""Writes decoded frames to an MP4 file of another size."""

from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import av
import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter

from vidrep_pipelines.data.video.encoder_instructions import reproducible_options
from vidrep_pipelines.data.video.profiles import EncodingProfile

_PIXEL_FORMAT = "yuv420p"


class VideoWriter:
    """Scales, turns and encodes frames. Use as a context manager; an error leaves an unfinished file behind.

    The written timestamps are 0, 1, 2, ... in units of one frame: every frame that comes in is kept, none
    is repeated, whatever the source's timestamps were.

    Args:
        path: The MP4 file to write; its index is at the front, so that reading can start at once.
        width: Even number of pixels, after turning.
        height: Even number of pixels, after turning.
        rate: Frames per second.
        profile: Encoder options.
        turns: Counterclockwise quarter turns to apply to the frames.
    """

    def __init__(
        self, path: Path, width: int, height: int, rate: Fraction, profile: EncodingProfile, turns: int = 0
    ) -> None:
        self._size = (height, width) if turns % 2 else (width, height)
        self._turns = turns
        self._rate = rate
        # Kept for all frames: building a scaler per frame takes longer than scaling.
        self._scaler = VideoReformatter()
        self._container = av.open(str(path.absolute()), "w", format="mp4", options={"movflags": "+faststart"})
        options = profile.options() | reproducible_options()
        self._stream = self._container.add_stream("libx264", rate=rate, options=options)
        context = self._stream.codec_context
        context.width, context.height, context.pix_fmt = width, height, _PIXEL_FORMAT
        context.thread_count = 1
        context.time_base = 1 / rate
        self.count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._container.mux(self._stream.encode(None))
        self._container.close()

    def write(self, frame: Any) -> None:
        """Appends one decoded frame of any size and pixel format."""
        width, height = self._size
        scaled = self._scaler.reformat(
            frame, width, height, _PIXEL_FORMAT, interpolation=Interpolation.BICUBIC, threads=1
        )
        if self.count == 0:
            _copy_colors(scaled, self._stream.codec_context)
        if self._turns:
            scaled = _turned(scaled, self._turns)
        scaled.pts, scaled.time_base = self.count, 1 / self._rate
        scaled.pict_type = 0  # the source's keyframes are no reason to place keyframes here
        self._container.mux(self._stream.encode(scaled))
        self.count += 1


def _copy_colors(frame: Any, context: Any) -> None:
    """Labels the output with the source's color standard, without which players assume another one."""
    context.colorspace = frame.colorspace
    context.color_primaries = frame.color_primaries
    context.color_trc = frame.color_trc
    context.color_range = frame.color_range


def _turned(frame: Any, turns: int) -> Any:
    """Turns the three planes of a yuv420p frame counterclockwise by quarter turns."""
    width, height = frame.width, frame.height
    flat = frame.to_ndarray().reshape(-1)
    luma, quarter = width * height, width * height // 4
    planes = (
        flat[:luma].reshape(height, width),
        flat[luma : luma + quarter].reshape(height // 2, width // 2),
        flat[luma + quarter :].reshape(height // 2, width // 2),
    )
    new_width = height if turns % 2 else width
    stacked = np.concatenate([np.rot90(plane, turns).reshape(-1) for plane in planes])
    return av.VideoFrame.from_ndarray(stacked.reshape(-1, new_width), format=_PIXEL_FORMAT)
