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
_BLOCK = 24  # windows of one product; more multiply more zeros, fewer are too small for the processor
_PIXELS_AT_ONCE = 1 << 16  # what is computed from so many stays in a processor's cache


@torch.no_grad()
def structural_similarity(real: Tensor, reconstruction: Tensor) -> Tensor:
    """SSIM per frame (Wang et al., "Image Quality Assessment", 2004, equation 13); gradients do not flow.

    Gaussian windows of 11x11 pixels with deviation 1.5, only those that lie inside the picture; moments of
    the population; mean over positions and channels. Means, variances and the covariance are weighted sums
    along rows, then along columns, each a product with a band matrix for a block of windows at a time.

    Args:
        real: (..., C, H, W) in 0..1, floating point.
        reconstruction: The same shape.

    Returns:
        (...) in -1..1.

    Raises:
        InputError: A picture is smaller than the window.
    """
    C, H, W = real.shape[-3:]
    if min(H, W) < _WINDOW:
        raise InputError(f"SSIM needs pictures of at least {_WINDOW}x{_WINDOW} pixels, these are {W}x{H}.")
    sides = [frames.reshape(-1, C, H, W) for frames in (real, reconstruction)]
    frames = max(_PIXELS_AT_ONCE // (C * H * W), 1) if real.device.type == "cpu" else max(len(sides[0]), 1)
    parts = zip(*(torch.split(side, frames) for side in sides), strict=True)
    return torch.cat([_similarity(*part) for part in parts]).view(real.shape[:-3])


def _similarity(real: Tensor, other: Tensor) -> Tensor:
    """SSIM (N,) of frames (N, C, H, W)."""
    N, C, H, W = real.shape
    # Rows of the pictures come first: then the sums along either side are plain products of two matrices.
    moments = real.new_empty(H, 4, N, C, W)
    moments[:, 0], moments[:, 1] = (side.permute(2, 0, 1, 3) for side in (real, other))
    torch.mul(moments[:, 0], moments[:, 0], out=moments[:, 2])
    moments[:, 2].addcmul_(moments[:, 1], moments[:, 1])  # the variances are only needed in sum
    torch.mul(moments[:, 0], moments[:, 1], out=moments[:, 3])
    means = _sums_of_columns(_sums_of_rows(moments.view(H, -1)).view(-1, W))
    mean_real, mean_other, squares, product = means.view(H - _WINDOW + 1, 4, N, C, -1).unbind(1)
    both, mean_squares = mean_real * mean_other, mean_real.square() + mean_other.square()
    luminance = (2 * both + _C1) / (mean_squares + _C1)
    structure = (2 * (product - both) + _C2) / (squares - mean_squares + _C2)
    return (luminance * structure).mean((0, 2, 3))


def _sums_of_rows(moments: Tensor) -> Tensor:
    """(H, n) to (H - 10, n)."""
    count = len(moments) - _WINDOW + 1
    weights, sums = _window_matrix(moments.dtype, moments.device), moments.new_empty(count, moments.shape[1])
    for start in range(0, count, _BLOCK):
        size = min(_BLOCK, count - start)
        reach = size + _WINDOW - 1
        torch.mm(weights[:size, :reach], moments[start : start + reach], out=sums[start : start + size])
    return sums


def _sums_of_columns(moments: Tensor) -> Tensor:
    """(n, W) to (n, W - 10)."""
    count = moments.shape[1] - _WINDOW + 1
    weights, sums = _window_matrix(moments.dtype, moments.device), moments.new_empty(len(moments), count)
    for start in range(0, count, _BLOCK):
        size = min(_BLOCK, count - start)
        reach = size + _WINDOW - 1
        part = moments[:, start : start + reach]
        torch.mm(part, weights[:size, :reach].mT, out=sums[:, start : start + size])
    return sums


@lru_cache(maxsize=16)
def _window_matrix(dtype: torch.dtype, device: torch.device) -> Tensor:
    """(block, block + 10): row i holds the window that begins at pixel i."""
    distances = torch.arange(_WINDOW, dtype=torch.float64) - _WINDOW // 2
    weights = torch.exp(-distances.square() / (2 * _SIGMA**2))
    matrix = torch.zeros(_BLOCK, _BLOCK + _WINDOW - 1, dtype=torch.float64)
    for position, weight in enumerate(weights / weights.sum()):
        matrix.diagonal(position).fill_(weight)
    return matrix.to(device, dtype)
