"""Random removal of patches, from noise that the caller supplies."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Masking:
    """Which patches of each sample stay visible.

    Attributes:
        keep: (B, K) positions of the visible patches, in the order of their noise.
        mask: (B, L) float, 1 for removed patches and 0 for visible ones.
        restore: (B, L) rank of each patch's noise: visible patch ``i`` is entry ``restore[i]`` of ``keep``.
    """

    keep: Tensor
    mask: Tensor
    restore: Tensor


def random_masking(noise: Tensor, ratio: float) -> Masking:
    """Keeps the ``int(L * (1 - ratio))`` patches with the smallest noise (MAE, arXiv 2111.06377).

    Args:
        noise: (B, L) uniform in [0, 1).
        ratio: Fraction of patches to remove.
    """
    order = noise.argsort(dim=1, stable=True)
    keep = order[:, : int(noise.shape[1] * (1 - ratio))]
    mask = torch.ones_like(noise).scatter(1, keep, 0.0)
    return Masking(keep=keep, mask=mask, restore=order.argsort(dim=1))


def take_tokens(tokens: Tensor, index: Tensor) -> Tensor:
    """Picks tokens (B, K, D) out of (B, L, D) by their positions (B, K)."""
    return tokens.gather(1, index.unsqueeze(-1).expand(-1, -1, tokens.shape[-1]))


def fill_tokens(tokens: Tensor, index: Tensor, filler: Tensor, length: int) -> Tensor:
    """Puts tokens (B, K, D) at their positions (B, K) in (B, length, D); ``filler`` (1, 1, D) elsewhere."""
    canvas = filler.expand(len(tokens), length, -1)
    return canvas.scatter(1, index.unsqueeze(-1).expand_as(tokens), tokens.to(filler.dtype))
