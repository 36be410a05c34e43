"""Between the standardized pixels of the network and the 0..1 of pictures."""

import torch
from torch import Tensor

from vidrep_pipelines.models.vqvae.config import VqvaeDataConfig


def to_unit_range(images: Tensor, data: VqvaeDataConfig) -> Tensor:
    """Standardized images (..., 3, H, W) to nominally 0..1, unclamped, in float32."""
    statistics = torch.tensor((data.mean, data.std), device=images.device)
    mean, std = statistics.view(2, 3, 1, 1).unbind()
    return images.float() * std + mean


def to_standardized(images: Tensor, data: VqvaeDataConfig) -> Tensor:
    """The inverse of :func:`to_unit_range`."""
    statistics = torch.tensor((data.mean, data.std), device=images.device)
    mean, std = statistics.view(2, 3, 1, 1).unbind()
    return (images.float() - mean) / std


def clamped_psnr(images: Tensor, others: Tensor) -> Tensor:
    """Mean over frames (..., 3, H, W) of the peak signal-to-noise ratio in decibels, clamped to 0..1."""
    errors = (images.clamp(0, 1) - others.clamp(0, 1)).square().mean(dim=(-3, -2, -1))
    return (-10 * errors.clamp(min=1e-10).log10()).mean()
