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
