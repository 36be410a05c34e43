"""The baseline to beat: values read off how often each token is in a state."""

import numpy as np

from vidrep_pipelines.common.arrays import FloatArray, IntArray

_PENALTIES = np.logspace(-3, 6, 28)


class TokenCountRegression:
    """Linear regression of returns on how often each token is in a state.

    A ridge penalty is chosen by leave-one-out error among many, all of which one decomposition serves.

    Args:
        states: (n, T) tokens.
        returns: (n,).
        vocabulary: Number of different tokens.
    """

    def __init__(self, states: IntArray, returns: FloatArray, vocabulary: int) -> None:
        self._vocabulary = vocabulary
        counts = token_counts(states, vocabulary)
        self._center, self._mean = counts.mean(axis=0), float(returns.mean())
        centered, wanted = counts - self._center, returns - self._mean
        left, scales, right = np.linalg.svd(centered, full_matrices=False)
        projected = left.T @ wanted
        errors = []
        for penalty in _PENALTIES:
            shrink = scales**2 / (scales**2 + penalty)
            leverage = (left**2) @ shrink + 1 / len(returns)
            residual = wanted - left @ (shrink * projected)
            errors.append(np.mean((residual / np.maximum(1 - leverage, 1e-9)) ** 2))
        best = _PENALTIES[int(np.argmin(errors))]
        self._weights = right.T @ (scales / (scales**2 + best) * projected)

    def predict(self, states: IntArray) -> FloatArray:
        """Values (n,) of states (n, T)."""
        centered = token_counts(states, self._vocabulary) - self._center
        values: FloatArray = centered @ self._weights + self._mean
        return values


def token_counts(states: IntArray, vocabulary: int) -> FloatArray:
    """(n, V): how often each token occurs in each of the states (n, T)."""
    n, T = states.shape
    rows = np.repeat(np.arange(n), T)
    counts = np.bincount(rows * vocabulary + states.reshape(-1), minlength=n * vocabulary)
    return counts.reshape(n, vocabulary).astype(np.float64)
