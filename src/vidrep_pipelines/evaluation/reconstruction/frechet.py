"""The Frechet distance between two sets of features."""

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.evaluation.reconstruction.feature_cache import FeatureCache
from vidrep_pipelines.evaluation.reconstruction.networks import FeatureNetwork

_LEAST_EVENNESS = 1e-4


def frechet_distance(real: NDArray[np.floating], other: NDArray[np.floating]) -> float:
    """Squared Frechet distance of the normal distributions fitted to two sets of features.

    |m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)) (Dowson and Landau, 1982), with unbiased covariances. The
    root is never formed. Where both covariances have full rank, S1 = L L^T and its trace is the sum of the
    roots of the eigenvalues of L^T S2 L. Elsewhere, with centered features A and B divided by sqrt(n - 1) and
    sqrt(m - 1), it is the nuclear norm of A B^T, which is real and exact also where there are fewer samples
    than features. The value depends on the number of samples; compare only what was measured with equally
    many.

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
    root = _trace_of_root(first, second)
    return float(
        shift @ shift + traces - 2 * (_nuclear_norm_of_product(first, second) if root is None else root)
    )


def _trace_of_root(first: NDArray[np.float64], second: NDArray[np.float64]) -> float | None:
    """tr((S1 S2)^(1/2)); None where a covariance is so near to losing rank that roots would be inexact.

    Of the eigenvalues, an error of 1e-16 of the largest remains. In the root of one that is nearly zero this
    is 1e-8, which singular values do not lose.
    """
    from scipy.linalg import LinAlgError, cholesky, eigvalsh  # noqa: PLC0415 (slow to import)

    if min(len(first), len(second)) <= first.shape[1]:
        return None
    try:
        lower, other = (cholesky(x.T @ x, lower=True, check_finite=False) for x in (first, second))
    except LinAlgError:
        return None
    if min(_evenness(lower), _evenness(other)) < _LEAST_EVENNESS:
        return None
    mixed = lower.T @ other
    eigenvalues = eigvalsh(mixed @ mixed.T, check_finite=False, overwrite_a=True)
    return float(np.sqrt(np.maximum(eigenvalues, 0)).sum())


def _evenness(lower: NDArray[np.float64]) -> float:
    """Smallest over largest diagonal element of a Cholesky factor; near to 0 where rank is nearly lost."""
    diagonal = np.diagonal(lower)
    return float(diagonal.min() / diagonal.max())


def _nuclear_norm_of_product(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Sum of the singular values of A B^T; both are first reduced to as many rows as columns."""
    reduced, other = (_triangle(x) if len(x) > x.shape[1] else x for x in (first, second))
    return float(np.linalg.norm(reduced @ other.T, "nuc"))


def _triangle(features: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.linalg.qr(features, mode="r"))


def _checked(features: NDArray[np.floating]) -> NDArray[np.float64]:
    if features.ndim != 2 or len(features) < 2:
        raise InputError(f"A Frechet distance needs two or more samples (n, D), not {features.shape}.")
    if not np.isfinite(features).all():
        raise InputError("Some features are not finite numbers, so they have no distance.")
    return features.astype(np.float64)


class FeaturePair:
    """Gathers the features of both sides by one network; those of the real side may be known.

    Args:
        network: Computes features.
        cache: Where features of the real side are kept; none: nowhere.
    """

    def __init__(self, network: FeatureNetwork, cache: FeatureCache | None) -> None:
        self._network, self._cache = network, cache
        self._known = cache.load(network.digest) if cache else None
        self._real: list[NDArray[np.float32]] = []
        self._other: list[NDArray[np.float32]] = []

    def add(self, real: Tensor, other: Tensor) -> None:
        """Adds a batch: clips (B, T, 3, H, W) or frames (N, 3, H, W), in 0..1."""
        if self._known is None:
            self._real.append(self._features(real))
        self._other.append(self._features(other))

    def finish(self) -> None:
        """Keeps what was computed of the real side."""
        if self._cache and self._known is None and self._real:
            self._cache.save(self._network.digest, np.concatenate(self._real))

    def distance(self, rows: NDArray[np.bool_]) -> float:
        """Frechet distance of the samples where ``rows`` (N,) is true; NaN with fewer than two of them.

        Raises:
            InputError: The known features are of another number of samples.
        """
        other = np.concatenate(self._other)
        real = np.concatenate(self._real) if self._known is None else self._known
        if len(real) != len(other):
            raise InputError(
                f"Features of {len(real)} real samples are kept in {self._cache}, but {len(other)} were "
                "measured now. Remedy: delete that folder."
            )
        return frechet_distance(real[rows], other[rows]) if rows.sum() >= 2 else float("nan")

    def _features(self, pixels: Tensor) -> NDArray[np.float32]:
        features: NDArray[np.float32] = self._network.features(pixels).float().cpu().numpy()
        if features.ndim != 2 or len(features) != len(pixels):
            raise InputError(f"A metric network gave {features.shape} for {len(pixels)} samples.")
        return features
