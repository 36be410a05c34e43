"""Two views of a long video: CPU time and peak memory, each side in processes of its own."""

import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from PIL import Image

from benchmarks.clips import write_clip
from benchmarks.reference.carl_published import published_augmentation, published_frames
from benchmarks.timing import Result
from vidrep_pipelines.common.seeds import generator_for
from vidrep_pipelines.data.clips.dataset import PackedClips
from vidrep_pipelines.data.video.items import INDEX_SUFFIX
from vidrep_pipelines.data.video.profiles import ResizeConfig
from vidrep_pipelines.data.video.transcode import resize_video
from vidrep_pipelines.models.carl.augmentation import change_colors, draw_augmentation
from vidrep_pipelines.models.carl.config import AugmentationConfig, CarlDataConfig
from vidrep_pipelines.models.carl.dataset import ExcerptDataset
from vidrep_pipelines.models.carl.excerpt_sampling import ExcerptSamplingConfig, sample_excerpts
from vidrep_pipelines.models.carl.video_source import VideoFiles

FRAMES, HEIGHT, WIDTH, SIZE = 600, 360, 640, 224
VIEW_FRAMES, ROUNDS = 80, 2
DATA = CarlDataConfig(
    sampling=ExcerptSamplingConfig(frames=VIEW_FRAMES),
    augmentation=AugmentationConfig(blur_probability=0.0),
)
HOW = (
    f"two augmented views of {VIEW_FRAMES} frames from a video of {FRAMES} frames of {WIDTH}x{HEIGHT}, "
    "one thread, processes of their own, libraries loaded and warm; reference: all frames are decoded and "
    "turned into floats, colors changed by Pillow; the ratio is ours to the reference's, so less is better; "
)
SOURCES = {"": "ours reads the same file", "_resized": "ours reads what the resize stage made of the file"}
"""By the ending of the result's name."""


def run() -> dict[str, Result]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_clip(folder / "published.mp4", moving_texture(FRAMES, HEIGHT, WIDTH))
        resize_video(
            folder / "published.mp4",
            folder / "resized.mp4",
            ResizeConfig(short_side=256),
            folder / f"resized{INDEX_SUFFIX}",
        )
        sides = {"reference": "published", "": "published", "_resized": "resized"}
        runs = [
            {side: measured(side, folder / f"{file}.mp4") for side, file in sides.items()}
            for _ in range(ROUNDS)
        ]
    median = {
        (side, field): statistics.median(figures[side][field] for figures in runs)
        for side in sides
        for field in ("cpu", "memory")
    }
    return {
        f"carl_loading_{field}{ending}": Result(
            ratio=median[ending, field] / median["reference", field],
            ours=median[ending, field],
            reference=median["reference", field],
            unit="seconds" if field == "cpu" else "MiB",
            how=HOW + what,
        )
        for ending, what in SOURCES.items()
        for field in ("cpu", "memory")
    }


def moving_texture(frames: int, height: int, width: int) -> list[NDArray[np.uint8]]:
    """A soft texture that a camera passes by, (H, W, 3) each."""
    coarse = np.random.default_rng(0).integers(0, 256, (height // 8, width // 8, 3), np.uint8)
    texture = np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))
    return [np.roll(texture, (number, 2 * number), axis=(0, 1)) for number in range(frames)]


def measured(side: str, file: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.carl_loading", side or "ours", str(file)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    figures: dict[str, float] = json.loads(output)
    return figures


def mebibytes(field: str) -> float:
    """A field of this process's status, VmRSS (now) or VmHWM (peak)."""
    found = re.search(rf"{field}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    if found is None:
        raise SystemExit("This benchmark needs /proc/self/status with VmRSS and VmHWM (Linux).")
    return int(found[1]) / 1024


def load_ours(file: Path, frames: int) -> None:
    clips = PackedClips(pd.DataFrame({"id": ["video"], "path": [file.name], "frames": [frames]}))
    sample = ExcerptDataset(VideoFiles(clips, file.parent), DATA, SIZE)[0, 0]
    if sample["replaced"]:
        raise RuntimeError("the video could not be read: the comparison would mean nothing")
    change_colors(sample["frames"], sample["colors"])


def load_reference(file: Path, frames: int) -> None:
    rng = generator_for(0)
    views = sample_excerpts(frames, DATA.sampling, rng)
    for video in published_frames(file, [view.frames for view in views]):
        draw = draw_augmentation(video.shape[2], video.shape[3], DATA.augmentation, rng)
        published_augmentation(video, draw, SIZE)


def main(side: str, file: Path) -> None:
    torch.set_num_threads(1)
    load = load_reference if side == "reference" else load_ours
    with tempfile.TemporaryDirectory() as name:
        write_clip(Path(name) / "warm.mp4", moving_texture(12, 64, 64))
        load(Path(name) / "warm.mp4", 12)
    memory, cpu = mebibytes("VmRSS"), time.process_time()
    load(file, FRAMES)
    print(json.dumps({"cpu": time.process_time() - cpu, "memory": mebibytes("VmHWM") - memory}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
