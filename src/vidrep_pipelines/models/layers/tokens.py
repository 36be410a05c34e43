"""Images as tokens: square patches and back, positions, and which tokens are masked."""

from dataclasses import dataclass

import torch
from einops import rearrange, repeat
from torch import Tensor

_EPSILON = 1e-6


def patchify(images: Tensor, patch_size: int) -> Tensor:
    """Cuts images (B, C, H, W) into patches (B, L, p * p * C), row by row.

    Inside a patch the order is (y, x, channel), channel fastest. H and W are multiples of ``patch_size``.
    """
    return rearrange(images, "b c (h y) (w x) -> b (h w) (y x c)", y=patch_size, x=patch_size)


def unpatchify(patches: Tensor, patch_size: int, channels: int = 3) -> Tensor:
    """Puts patches (B, L, p * p * C) of a square image together again: (B, C, H, W)."""
    grid, p = int(patches.shape[1] ** 0.5), patch_size
    return rearrange(patches, "b (h w) (y x c) -> b c (h y) (w x)", h=grid, w=grid, y=p, x=p, c=channels)


def patch_statistics(patches: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation over all values of each patch, both (B, L, 1).

    The variance has Bessel's correction (n - 1), and 1e-6 is added to it so that flat patches can be divided.
    """
    deviation = (patches.var(dim=-1, keepdim=True) + _EPSILON).sqrt()
    return patches.mean(dim=-1, keepdim=True), deviation


def normalize_patches(patches: Tensor) -> Tensor:
    """Gives each patch (..., P) zero mean and unit variance (MAE, arXiv 2111.06377, section 4.1)."""
    mean, deviation = patch_statistics(patches)
    return (patches - mean) / deviation


def denormalize_patches(patches: Tensor, reference: Tensor) -> Tensor:
    """Undoes :func:`normalize_patches` with the statistics of the ``reference`` patches (B, L, P)."""
    mean, deviation = patch_statistics(reference)
    return patches * deviation + mean


_BASE = 10000.0


def sine_cosine_positions(dimension: int, grid: int) -> Tensor:
    """The position table of a square grid behind a CLS token, (1, 1 + grid * grid, dimension) in float32.

    The CLS row is zero. The first half of the channels encodes the column, the second half the row; each half
    is ``[sin(k w_j), cos(k w_j)]`` with ``w_j = 10000 ** (-j / (dimension / 4))``.

    Args:
        dimension: Number of channels, a multiple of 4.
        grid: Number of patches along one side.
    """
    quarter = dimension // 4
    frequencies = _BASE ** (-torch.arange(quarter, dtype=torch.float64) / quarter)
    angles = torch.arange(grid, dtype=torch.float64)[:, None] * frequencies
    waves = torch.cat([angles.sin(), angles.cos()], dim=1)
    columns = repeat(waves, "column c -> (row column) c", row=grid)
    rows = repeat(waves, "row c -> (row column) c", column=grid)
    table = torch.cat([columns, rows], dim=1)
    return torch.cat([table.new_zeros(1, dimension), table]).float().unsqueeze(0)


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
