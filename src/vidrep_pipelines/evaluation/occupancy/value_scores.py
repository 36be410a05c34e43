"""How good predicted values are."""

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


def root_mean_square_error(predicted: FloatArray, actual: FloatArray) -> float:
    """Of predictions (n,) of what happened (n,)."""
    return float(np.sqrt(np.mean((predicted - actual) ** 2)))


def slope(predicted: FloatArray, actual: FloatArray) -> float:
    """Of what happened (n,) over the predictions (n,), 0 if these are constant.

    1 if differences are neither exaggerated (less) nor understated (more).
    """
    centered = predicted - predicted.mean()
    spread = float(np.mean(centered**2))
    return float(np.mean(centered * (actual - actual.mean()))) / spread if spread > 0 else 0.0


def rank_correlation(one: FloatArray, other: FloatArray) -> float:
    """Spearman's rho in [-1, 1], ties sharing their mean rank; 0 if either side is constant."""
    first, second = (_ranks(values) for values in (one, other))
    scale = float(np.std(first) * np.std(second))
    if scale == 0:
        return 0.0
    return float(np.mean((first - first.mean()) * (second - second.mean())) / scale)


def _ranks(values: FloatArray) -> FloatArray:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks: FloatArray = (last - (counts - 1) / 2)[inverse]
    return ranks
