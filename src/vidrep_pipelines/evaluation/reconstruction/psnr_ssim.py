"""PSNR and SSIM: how close pixels are, and how close what they show."""

from functools import lru_cache

import torch
from torch import Tensor

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.evaluation.reconstruction.config import PixelRange


def to_range(video: Tensor, pixel_range: PixelRange) -> Tensor:
    """Brings pixels, nominally in 0..1, into the range that the mode says; any shape."""
    if pixel_range == "as_published":
        return video
    clamped = video.clamp(0, 1)
    return (clamped * 255).round() / 255 if pixel_range == "rounded" else clamped


def peak_signal_to_noise_ratio(real: Tensor, reconstruction: Tensor) -> Tensor:
    """10 log10(1 / MSE) per frame, in decibels.

    Frames are measured one by one: the ratio of a whole clip is another number, dominated by its worst frame.

    Args:
        real: (..., C, H, W) in 0..1.
        reconstruction: The same shape.

    Returns:
        (...); infinite for identical frames.
    """
    errors = (real.double() - reconstruction.double()).square().mean((-3, -2, -1))
    return (-10 * errors.log10()).to(real.dtype)


_WINDOW = 11
_SIGMA = 1.5
_C1, _C2 = 0.01**2, 0.03**2


def structural_similarity(real: Tensor, reconstruction: Tensor) -> Tensor:
    """SSIM per frame (Wang et al., "Image Quality Assessment", 2004, equation 13).

    Gaussian windows of 11x11 pixels with deviation 1.5, only those that lie inside the picture; moments of
    the population; mean over positions and channels. Means, variances and the covariance are weighted sums
    along rows, then along columns, each a product with a band matrix.

    Args:
        real: (..., C, H, W) in 0..1, floating point.
        reconstruction: The same shape.

    Returns:
        (...) in -1..1.

    Raises:
        InputError: A picture is smaller than the window.
    """
    H, W = real.shape[-2:]
    if min(H, W) < _WINDOW:
        raise InputError(f"SSIM needs pictures of at least {_WINDOW}x{_WINDOW} pixels, these are {W}x{H}.")
    rows, columns = (_window_matrix(side, real.dtype, real.device) for side in (H, W))
    # The variances are only needed in sum.
    moments = torch.stack(
        [real, reconstruction, real.square() + reconstruction.square(), real * reconstruction]
    )
    mean_real, mean_other, squares, product = rows @ (moments @ columns.mT)
    means = mean_real.square() + mean_other.square()
    covariance = product - mean_real * mean_other
    luminance = (2 * mean_real * mean_other + _C1) / (means + _C1)
    structure = (2 * covariance + _C2) / (squares - means + _C2)
    similarity: Tensor = (luminance * structure).mean((-3, -2, -1))
    return similarity


@lru_cache(maxsize=16)
def _window_matrix(size: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """(size - 10, size): row i holds the window that begins at pixel i."""
    distances = torch.arange(_WINDOW, dtype=torch.float64) - _WINDOW // 2
    weights = torch.exp(-distances.square() / (2 * _SIGMA**2))
    matrix = torch.zeros(size - _WINDOW + 1, size, dtype=torch.float64)
    for position, weight in enumerate(weights / weights.sum()):
        matrix.diagonal(position).fill_(weight)
    return matrix.to(device, dtype)
