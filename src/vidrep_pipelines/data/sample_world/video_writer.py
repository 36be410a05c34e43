"""Writes frames as a camera would: H.264, 4:2:0, long keyframe interval."""

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av

from vidrep_pipelines.data.sample_world.config import SampleWorldConfig
from vidrep_pipelines.data.sample_world.geometry import ByteArray


def write_video(path: Path, frames: Iterable[ByteArray], config: SampleWorldConfig) -> int:
    """Encodes RGB frames (H, W, 3) to an mp4 file and returns how many there were.

    One encoder thread and no macroblock tree, whose result depends on memory addresses: equal frames give an
    equal file.
    """
    count = 0
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=config.frames_per_second)
        stream.width, stream.height, stream.pix_fmt = config.width, config.height, "yuv420p"
        stream.time_base = Fraction(1, config.frames_per_second)
        stream.thread_count = 1
        stream.options = {
            "crf": str(config.quality),
            "g": str(config.keyframe_interval),
            "preset": "veryfast",
            "x264-params": "mbtree=0",
        }
        for pixels in frames:
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts = count
            container.mux(stream.encode(frame))
            count += 1
        container.mux(stream.encode(None))
    return count
