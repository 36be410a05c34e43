"""Images cut into square patches, and back."""

from torch import Tensor

_EPSILON = 1e-6


def patchify(images: Tensor, patch_size: int) -> Tensor:
    """Cuts images (B, C, H, W) into patches (B, L, p * p * C), row by row.

    Inside a patch the order is (y, x, channel), channel fastest. H and W are multiples of ``patch_size``.
    """
    B, C, H, W = images.shape
    p = patch_size
    tiles = images.reshape(B, C, H // p, p, W // p, p)
    return tiles.permute(0, 2, 4, 3, 5, 1).reshape(B, (H // p) * (W // p), p * p * C)


def unpatchify(patches: Tensor, patch_size: int, channels: int = 3) -> Tensor:
    """Puts patches (B, L, p * p * C) of a square image together again: (B, C, H, W)."""
    B, L, _ = patches.shape
    grid, p = int(L**0.5), patch_size
    tiles = patches.reshape(B, grid, grid, p, p, channels)
    return tiles.permute(0, 5, 1, 3, 2, 4).reshape(B, channels, grid * p, grid * p)


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
