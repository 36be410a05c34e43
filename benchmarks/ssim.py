"""SSIM by band matrices, against unfolded windows and the libraries that blur."""

import time
from functools import partial

import numpy as np
import torch
from torch import Tensor

from benchmarks.peers import Peer, check_equal, compare, with_peer
from benchmarks.reference.reconstruction_metrics_published import published_ssim
from benchmarks.timing import Result, Work
from vidrep_pipelines.evaluation.reconstruction.psnr_ssim import structural_similarity

CASES = {"ssim": (2, 12, 64), "ssim_256": (1, 2, 256)}
"""Clips, frames of each, pixels of a side."""
ROUNDS = 9
HOW = (
    "CPU time of SSIM of {clips} clips of {frames} frames of {size}x{size}, float32, one thread, "
    f"interleaved, medians of {ROUNDS} rounds; reference: every 11x11 window unfolded"
)
BLUR_REASON = (
    "OpenCV's blur is written for the processor, where a matrix product multiplies the zeros of its block "
    "too; a library of 60 MB, for CPUs alone, does not pay for less than a hundredth of an evaluation's time"
)


def run() -> dict[str, Result]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return {name: _measure(*case) for name, case in CASES.items()}
    finally:
        torch.set_num_threads(threads)


def _measure(clips: int, frames: int, size: int) -> Result:
    generator = torch.Generator().manual_seed(0)
    real = torch.rand(clips, frames, 3, size, size, generator=generator)
    other = (real + 0.1 * torch.randn(real.shape, generator=generator)).clamp(0, 1)
    peers = [
        Peer("pytorch-msssim", "`ssim` of all frames", partial(_pytorch_msssim, real, other)),
        Peer(
            "opencv-python-headless",
            "six lines around `GaussianBlur`",
            partial(_opencv, real, other),
            BLUR_REASON,
        ),
    ]
    comparison = compare(
        lambda: structural_similarity(real, other),
        lambda: published_ssim(real.flatten(0, 1), other.flatten(0, 1)),
        peers,
        ROUNDS,
        time.process_time,
    )
    each = 1000 / clips
    result = Result(
        ratio=comparison.medians.ratio,
        ours=comparison.medians.ours * each,
        reference=comparison.medians.reference * each,
        unit="milliseconds per clip",
        how=HOW.format(clips=clips, frames=frames, size=size),
    )
    return with_peer(result, comparison.rivals)


def _pytorch_msssim(real: Tensor, other: Tensor) -> Work:
    from pytorch_msssim import ssim  # noqa: PLC0415

    sides = real.flatten(0, 1), other.flatten(0, 1)

    def work() -> Tensor:
        similarity: Tensor = ssim(*sides, data_range=1, size_average=False)
        return similarity

    check_equal("pytorch-msssim", work(), structural_similarity(*sides))
    return work


def _opencv(real: Tensor, other: Tensor) -> Work:
    """Frames are (H, W, 3) in memory, as OpenCV has them."""
    import cv2  # noqa: PLC0415

    cv2.setNumThreads(1)
    sides = [side.flatten(0, 1).permute(0, 2, 3, 1).contiguous().numpy() for side in (real, other)]

    def blur(picture: np.ndarray) -> np.ndarray:
        return np.asarray(cv2.GaussianBlur(picture, (11, 11), 1.5)[5:-5, 5:-5])

    def similarity(x: np.ndarray, y: np.ndarray) -> float:
        mean_x, mean_y = blur(x), blur(y)
        both, squares = mean_x * mean_y, mean_x * mean_x + mean_y * mean_y
        covariance, variances = blur(x * y) - both, blur(x * x + y * y) - squares
        luminance = (2 * both + 0.01**2) / (squares + 0.01**2)
        return float((luminance * (2 * covariance + 0.03**2) / (variances + 0.03**2)).mean())

    def work() -> list[float]:
        return [similarity(x, y) for x, y in zip(*sides, strict=True)]

    check_equal("OpenCV", work(), structural_similarity(real, other).flatten())
    return work
