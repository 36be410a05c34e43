"""The clips that the video benchmarks read: 300 frames each, as raw clips of a data set are."""

import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

FRAMES, RATE = 300, 30

_SHARED_DATA = Path(__file__).parents[1] / "../shared/data"
_REAL = ("clips/flipping_a_pancake.mkv",)
_ROBOT = tuple(
    f"vpp_instances/{name}.mp4"
    for name in (
        "bridge/videos/val/10/rgb",
        "bridge/videos/val/14/rgb",
        "rt1/videos/val/10/rgb",
        "rt1/videos/val/6/rgb",
        "xhand/videos/val/100/0",
        "xhand/videos/val/150/0",
    )
)


def raw_clips(folder: Path) -> tuple[list[Path], str]:
    """Finds or makes ten-second clips; returns them and says what they are.

    The robot clips are shorter: they are played to and fro until 300 frames are reached. Starting over
    would put a scene cut, and with it a keyframe, where no real clip has one.
    """
    shared = Path(os.environ.get("VIDREP_SHARED_DATA", _SHARED_DATA))
    sources = [shared / name for name in (*_REAL, *_ROBOT)]
    if not all(source.is_file() for source in sources):
        clips = [folder / f"synthetic_{number}.mp4" for number in range(4)]
        for number, clip in enumerate(clips):
            write_clip(clip, list(_drifting_texture(number)))
        return clips, "4 synthetic clips (drifting texture, 426x240), 300 frames each"
    clips = [shared / _REAL[0]]
    for number, source in enumerate(sources[1:]):
        clips.append(folder / f"robot_{number}.mp4")
        write_clip(clips[-1], to_and_fro(decode_all(source), FRAMES))
    return clips, (
        "flipping_a_pancake.mkv (310 frames) and 6 robot clips (2 Bridge, 2 RT-1, 2 xhand) played to and fro "
        "for 10 s (300 frames at 30 per second)"
    )


def decode_all(path: Path) -> list[NDArray[np.uint8]]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def to_and_fro(frames: list[NDArray[np.uint8]], count: int) -> list[NDArray[np.uint8]]:
    period = frames + frames[-2:0:-1]
    return [period[number % len(period)] for number in range(count)]


def write_clip(path: Path, frames: list[NDArray[np.uint8]]) -> None:
    """In the quality of a good original: better than what resizing makes, but no more than cameras write."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(
            "libx264", rate=Fraction(RATE), options={"preset": "medium", "crf": "18"}
        )
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))


def _drifting_texture(seed: int) -> Iterator[NDArray[np.uint8]]:
    """Noise at several scales under a moving camera, (240, 426, 3)."""
    rng = np.random.default_rng(seed)
    canvas = np.zeros((512, 1024, 3))
    for cell in (4, 16, 64):
        canvas += np.kron(rng.normal(0, 25, (512 // cell, 1024 // cell, 3)), np.ones((cell, cell, 1)))
    canvas = np.clip(canvas + 128, 0, 255).astype(np.uint8)
    for number in range(FRAMES):
        top, left = int(100 + 90 * np.sin(number / 40)), int(number * 1.5)
        yield np.ascontiguousarray(canvas[top : top + 240, left : left + 426])
