"""Pictures of a VQ-VAE at work: originals, reconstructions and errors; how often each code is used."""

from collections.abc import Sequence

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL.Image import Image
from torch import Tensor

from vidrep_pipelines.models.layers.vector_quantizer import perplexity, used_share
from vidrep_pipelines.models.vqvae.config import VqvaeDataConfig
from vidrep_pipelines.models.vqvae.model import VqvaeModel
from vidrep_pipelines.models.vqvae.units import clamped_psnr, to_unit_range
from vidrep_pipelines.reporting.figures import COLORS, SOFT_INK, image_of, plain_axes
from vidrep_pipelines.reporting.pictures import Row, image_grid

ROWS = ("original", "reconstruction", "error")
ERROR_GAIN = 4
"""Errors are shown enlarged: the mid grey is none, a quarter of the range saturates."""

_SHOWN_FRAMES = 8
_SMALLEST_TILE = 96


@torch.no_grad()
def reconstruction_strips(model: VqvaeModel, clips: Tensor, data: VqvaeDataConfig) -> Image:
    """Draws original, reconstruction and error of clips below one another.

    Args:
        model: The model, on the device of the clips.
        clips: (B, T, 3, S, S) standardized; of long clips, evenly spaced frames are shown.
        data: Mean and deviation they were standardized with.
    """
    pairs = []
    for clip in clips:
        rebuilt = model(clip[None]).reconstruction[0]
        pairs.append((to_unit_range(clip, data), to_unit_range(rebuilt, data)))
    return comparison_strips(pairs)


def comparison_strips(pairs: Sequence[tuple[Tensor, Tensor]], names: tuple[str, str, str] = ROWS) -> Image:
    """Draws clips above what became of them, and the difference.

    Args:
        pairs: Clips (T, 3, H, W), nominally in 0..1; of long clips, evenly spaced frames are shown.
        names: Of the three rows.
    """
    rows: list[Row] = []
    for pair in pairs:
        quality = f"{float(clamped_psnr(*pair)):.1f} dB"
        shown = torch.linspace(0, len(pair[0]) - 1, min(len(pair[0]), _SHOWN_FRAMES)).round().long()
        first, second = (frames[shown.to(frames.device)] for frames in pair)
        labels = (names[0], f"{names[1]}\n{quality}", f"{names[2]}\n{ERROR_GAIN} times enlarged")
        rows += [
            Row(list(to_pixels(frames)), label)
            for label, frames in zip(labels, (first, second, error_picture(first, second)), strict=True)
        ]
    return image_grid(rows, cell_height=max(_SMALLEST_TILE, pairs[0][0].shape[-2]))


def error_picture(first: Tensor, second: Tensor) -> Tensor:
    """The difference of two pictures of one shape, in 0..1: mid grey is none."""
    return 0.5 + ERROR_GAIN * (second - first) / 2


def code_histogram(counts: Tensor) -> Image:
    """Draws how often each code is used, most used first.

    Args:
        counts: (K,) of the codes.
    """
    figure = Figure(figsize=(7.0, 3.0), layout="constrained")
    axes = figure.add_subplot()
    shares = (counts.double().sort(descending=True).values / counts.sum()).cpu().numpy()
    axes.fill_between(np.arange(1, len(shares) + 1), shares, step="mid", color=COLORS[0], linewidth=0)
    axes.axhline(1 / len(shares), color=SOFT_INK, linewidth=0.8, linestyle="--")
    use, evenness = float(used_share(counts)), float(perplexity(counts))
    title = f"{use:.0%} of {len(shares)} codes used, perplexity {evenness:.0f}"
    plain_axes(axes, title, "codes, most used first")
    return image_of(figure)


def to_pixels(frames: Tensor) -> NDArray[np.uint8]:
    """Frames (N, 3, H, W) in 0..1 to uint8 (N, H, W, 3)."""
    levels = (frames.clamp(0, 1) * 255).round().to(torch.uint8)
    pixels: NDArray[np.uint8] = levels.permute(0, 2, 3, 1).cpu().numpy()
    return pixels
