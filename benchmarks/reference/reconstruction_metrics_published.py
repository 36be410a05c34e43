"""The published way of measuring reconstructions: windows unfolded one by one, a root of matrices."""

import warnings

import numpy as np
import scipy.linalg
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional


def published_ssim(first: Tensor, second: Tensor) -> Tensor:
    """SSIM per frame of (N, C, H, W) in 0..1: all 11x11 windows laid out as columns, then weighted."""
    offsets = torch.arange(11, dtype=first.dtype) - 5
    line = torch.exp(-offsets.square() / (2 * 1.5**2))
    weights = torch.outer(line, line).flatten()
    weights = (weights / weights.sum())[None, None, :, None]
    windows = [functional.unfold(x, 11).reshape(*x.shape[:2], 121, -1).contiguous() for x in (first, second)]
    mean_first, mean_second = ((window * weights).sum(2) for window in windows)
    deviations = [
        window - mean[:, :, None] for window, mean in zip(windows, (mean_first, mean_second), strict=True)
    ]
    variance_first, variance_second = ((deviation.square() * weights).sum(2) for deviation in deviations)
    covariance = (deviations[0] * deviations[1] * weights).sum(2)
    luminance = (2 * mean_first * mean_second + 1e-4) / (mean_first**2 + mean_second**2 + 1e-4)
    structure = (2 * covariance + 9e-4) / (variance_first + variance_second + 9e-4)
    similarity: Tensor = (luminance * structure).mean((1, 2))
    return similarity


def published_frechet_distance(real: NDArray[np.floating], other: NDArray[np.floating]) -> float:
    """Frechet distance of (n, D) and (m, D) features by scipy's matrix square root."""
    first, second = np.cov(real.astype(np.float64).T), np.cov(other.astype(np.float64).T)
    shift = real.mean(0, dtype=np.float64) - other.mean(0, dtype=np.float64)
    with warnings.catch_warnings():  # a singular product is usual: there are fewer samples than features
        warnings.simplefilter("ignore")
        root = scipy.linalg.sqrtm(first @ second)
    return float(np.real(shift @ shift + np.trace(first + second - 2 * root)))
