"""Films for people to look at: small, and played by every browser."""

from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.video.encoder_instructions import reproducible_options

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
