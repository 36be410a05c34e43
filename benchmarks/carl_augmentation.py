"""Augmentation of one view: batched tensors against Pillow, frame by frame."""

import time

import numpy as np
import torch

from benchmarks.reference.carl_published import published_augmentation
from benchmarks.timing import Result, interleave
from vidrep_pipelines.models.carl.augmentation import AugmentationDraw, change_colors, draw_augmentation
from vidrep_pipelines.models.carl.config import AugmentationConfig
from vidrep_pipelines.models.carl.video_source import cut_and_resize

FRAMES, SIZE, DRAWS, ROUNDS = 80, 224, 4, 5
HOW = (
    f"CPU time of one thread for a view of {FRAMES} frames of {SIZE} pixels, mean of {DRAWS} draws that "
    f"change colors, interleaved, medians of {ROUNDS} rounds: crop, resize, flip, four color operations, "
    "gray, normalize; "
)


def smooth_frames() -> np.ndarray:
    """(T, H, W, 3) uint8."""
    coarse = np.random.default_rng(0).integers(0, 256, (FRAMES, SIZE // 8, SIZE // 8, 3), np.uint8)
    return np.kron(coarse, np.ones((1, 8, 8, 1), np.uint8))


def draws(*, blurred: bool) -> list[AugmentationDraw]:
    config = AugmentationConfig(jitter_probability=1.0, blur_probability=float(blurred), blur_times=4)
    return [draw_augmentation(SIZE, SIZE, config, np.random.default_rng(seed)) for seed in range(DRAWS)]


def measured(*, blurred: bool) -> Result:
    frames, drawn = smooth_frames(), draws(blurred=blurred)

    def ours() -> None:
        for draw in drawn:
            pixels = cut_and_resize(frames, draw.crop, SIZE, draw.flip)
            change_colors(pixels[None], draw.colors.tensor()[None], blur_times=4)

    def reference() -> None:
        for draw in drawn:
            video = torch.from_numpy(frames).permute(0, 3, 1, 2).float() / 255
            published_augmentation(video, draw, SIZE)

    medians = interleave(ours, reference, ROUNDS, time.process_time)
    what = "with the published four blurs" if blurred else "without blur"
    return Result(
        ratio=medians.ratio,
        ours=medians.ours / DRAWS,
        reference=medians.reference / DRAWS,
        unit="seconds",
        how=HOW + what,
    )


def run() -> dict[str, Result]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    results = {
        "carl_augmentation": measured(blurred=False),
        "carl_augmentation_blurred": measured(blurred=True),
    }
    torch.set_num_threads(threads)
    return results
