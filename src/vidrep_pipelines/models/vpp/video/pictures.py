"""What the video model is trained on and what it predicts, for people."""

from collections.abc import Sequence

import numpy as np
import torch
from PIL.Image import Image
from torch import Tensor

from vidrep_pipelines.models.shared.units import channels_last, clamped_psnr, to_bytes
from vidrep_pipelines.reporting.pictures import ImageRow, image_grid

_SHOWN_FRAMES, _SMALLEST_TILE = 8, 96
_LEAST_ENERGY = 1e-12


def motion_energy(clips: Tensor) -> Tensor:
    """Mean squared change from frame to frame (N,) of clips (N, F, 3, H, W)."""
    return clips.double().diff(dim=1).square().flatten(1).mean(dim=1)


def motion_ratio(predicted: Tensor, truth: Tensor) -> float:
    """Motion energy of predictions divided by that of the truth, summed over clips (N, F, 3, H, W).

    0 where predictions stand still, about 1 where they move as much as the truth; 1 where nothing moves in
    either.
    """
    ours, theirs = float(motion_energy(predicted).sum()), float(motion_energy(truth).sum())
    return (ours + _LEAST_ENERGY) / (theirs + _LEAST_ENERGY)


def first_batch_sheet(clips: Sequence[Tensor], texts: Sequence[str], heading: str) -> Image:
    """Draws the clips of a batch beside their instructions.

    Args:
        clips: (F, 3, H, W) uint8 each.
        texts: Their instructions.
        heading: Text above everything.
    """
    rows = [
        ImageRow(list(channels_last(clip[_shown(clip)])), text)
        for clip, text in zip(clips, texts, strict=True)
    ]
    return image_grid(rows, heading=heading, cell_height=max(_SMALLEST_TILE, clips[0].shape[-2]))


def prediction_strips(truths: Tensor, predictions: Tensor, texts: Sequence[str]) -> Image:
    """Draws what happened above what was predicted from the first frame and the instruction.

    Args:
        truths: (N, F, 3, H, W) in 0..1.
        predictions: Likewise.
        texts: N instructions.
    """
    rows: list[ImageRow] = []
    for truth, predicted, text in zip(truths, predictions, texts, strict=True):
        ratio = motion_ratio(predicted[None], truth[None])
        quality = f"{float(clamped_psnr(predicted[1:], truth[1:])):.1f} dB, motion {ratio:.2f}"
        for clip, label in ((truth, text), (predicted, f"predicted\n{quality}")):
            rows.append(ImageRow(list(channels_last(to_bytes(clip[_shown(clip)]))), label))
    return image_grid(rows, cell_height=max(_SMALLEST_TILE, truths.shape[-2]))


def _shown(clip: Tensor) -> Tensor:
    """Numbers of evenly spaced frames, first and last among them."""
    numbers = np.linspace(0, len(clip) - 1, min(len(clip), _SHOWN_FRAMES)).round().astype(np.int64)
    return torch.from_numpy(numbers)
