"""The Frechet distance between two sets of features."""

import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.common.errors import InputError


def frechet_distance(real: NDArray[np.floating], other: NDArray[np.floating]) -> float:
    """Squared Frechet distance of the normal distributions fitted to two sets of features.

    |m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)) (Dowson and Landau, 1982), with unbiased covariances. The
    root is never formed: with centered features A and B, its trace is the nuclear norm of A B^T divided by
    sqrt((n - 1) (m - 1)), which is real and exact also where there are fewer samples than features. The value
    depends on the number of samples; compare only what was measured with equally many.

    Args:
        real: (n, D), n at least 2.
        other: (m, D), m at least 2.

    Raises:
        InputError: Too few samples, different sizes, or a value that is not finite.
    """
    first, second = (_checked(features) for features in (real, other))
    if first.shape[1] != second.shape[1]:
        raise InputError(f"Features of {first.shape[1]} and {second.shape[1]} numbers cannot be compared.")
    shift = first.mean(0) - second.mean(0)
    first, second = ((x - x.mean(0)) / np.sqrt(len(x) - 1) for x in (first, second))
    traces = np.square(first).sum() + np.square(second).sum()
    return float(shift @ shift + traces - 2 * _nuclear_norm_of_product(first, second))


def _nuclear_norm_of_product(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Sum of the singular values of A B^T; both are first reduced to as many rows as columns."""
    reduced, other = (_triangle(x) if len(x) > x.shape[1] else x for x in (first, second))
    return float(np.linalg.svd(reduced @ other.T, compute_uv=False).sum())


def _triangle(features: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.linalg.qr(features, mode="r"))


def _checked(features: NDArray[np.floating]) -> NDArray[np.float64]:
    if features.ndim != 2 or len(features) < 2:
        raise InputError(f"A Frechet distance needs two or more samples (n, D), not {features.shape}.")
    if not np.isfinite(features).all():
        raise InputError("Some features are not finite numbers, so they have no distance.")
    return features.astype(np.float64)
