"""Units of pixels: 0..1, standardized, and bytes; and how far apart two pictures in 0..1 are."""

from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vidrep_pipelines.common.arrays import Triple


class Standardization(Protocol):
    """The units of a network's pictures: 0..1, less the mean, divided by the deviation."""

    @property
    def mean(self) -> Triple:
        """Mean of each channel."""

    @property
    def std(self) -> Triple:
        """Deviation of each channel."""


def to_unit_range(images: Tensor, units: Standardization) -> Tensor:
    """Standardized pictures (..., 3, H, W) to nominally 0..1, unclamped, in float32."""
    mean, std = _per_channel(units, images)
    return images.float() * std + mean


def to_standardized(images: Tensor, units: Standardization) -> Tensor:
    """The inverse of :func:`to_unit_range`."""
    mean, std = _per_channel(units, images)
    return (images.float() - mean) / std


def to_bytes(frames: Tensor) -> Tensor:
    """Pictures in 0..1, of any shape, to uint8; what lies outside is clamped."""
    return (frames.clamp(0, 1) * 255).round().to(torch.uint8)


def channels_last(frames: Tensor) -> NDArray[np.uint8]:
    """Pictures (N, 3, H, W) uint8 as an array (N, H, W, 3)."""
    pixels: NDArray[np.uint8] = frames.permute(0, 2, 3, 1).cpu().numpy()
    return pixels


def clamped_psnr(images: Tensor, others: Tensor) -> Tensor:
    """Mean over frames (..., 3, H, W) of the peak signal-to-noise ratio in decibels, clamped to 0..1."""
    errors = (images.clamp(0, 1) - others.clamp(0, 1)).square().mean(dim=(-3, -2, -1))
    return (-10 * errors.clamp(min=1e-10).log10()).mean()


def _per_channel(units: Standardization, images: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and deviation (3, 1, 1) on the device of the images."""
    mean, std = torch.tensor((units.mean, units.std), device=images.device).view(2, 3, 1, 1).unbind()
    return mean, std
