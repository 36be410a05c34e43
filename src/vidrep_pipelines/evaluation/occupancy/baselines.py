"""What an occupancy model is compared with: predictions that need no model of the future."""

import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.common.arrays import FloatArray, IntArray


class TokenFrequencies:
    """Frequencies of the tokens at each place of a state, one added to every count.

    Args:
        states: (n, T) tokens.
        vocabulary: Number V of different tokens.
    """

    def __init__(self, states: IntArray, vocabulary: int) -> None:
        counts = np.stack([np.bincount(place, minlength=vocabulary) for place in states.T]) + 1
        self._log_frequencies = np.log(counts / counts.sum(axis=1, keepdims=True))

    def log_probabilities(self, states: IntArray) -> FloatArray:
        """(n, T) logarithms of the frequencies of the tokens of states (n, T)."""
        logarithms: FloatArray = self._log_frequencies[np.arange(states.shape[1]), states]
        return logarithms


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


_PLACE_PENALTIES = np.logspace(-2, 2, 9)
"""In units of the places of a state, which is the square of its one-hot vector's length."""
_FOLDS = 5


class TokenPlaceRegression:
    """Linear regression of returns on which token is at which place of a state: the strong floor.

    As good as a linear function of one-hot tokens gets. Every fifth of the training episodes is held out to
    choose the ridge penalty, with which all of them are then fitted. Solved in its dual form, since there
    are far more pairs of place and token than states.

    Args:
        states: (n, T) tokens.
        returns: (n,).
        episode: (n,) numbers of the episodes that the states are of.
    """

    def __init__(self, states: IntArray, returns: FloatArray, episode: IntArray) -> None:
        products = shared_places(states, states)
        penalty = _best_penalty(products, returns, _held_out(episode), _PLACE_PENALTIES * states.shape[1])
        self._states, self._fitted = states, _DualRidge(products, returns, penalty)

    def predict(self, states: IntArray) -> FloatArray:
        """Values (n,) of states (n, T)."""
        return self._fitted.predict(shared_places(states, self._states))


class _DualRidge:
    """Ridge regression with a free mean, from the products (n, n) of its inputs with one another."""

    def __init__(self, products: FloatArray, wanted: FloatArray, penalty: float) -> None:
        self._center, self._mean = products.mean(axis=0), float(wanted.mean())
        centered = products - self._center - self._center[:, None] + self._center.mean()
        centered[np.diag_indices(len(centered))] += penalty
        # The weights add up to zero, so that only one of the two centers matters in a prediction.
        self._weights = np.linalg.solve(centered, wanted - self._mean)

    def predict(self, products: FloatArray) -> FloatArray:
        """Values (m,) from the products (m, n) of what is asked with the inputs that were fitted."""
        values: FloatArray = (products - self._center) @ self._weights + self._mean
        return values


def _best_penalty(
    products: FloatArray, returns: FloatArray, held_out: NDArray[np.bool_], penalties: FloatArray
) -> float:
    """The one of least error on what is held out; the largest, if there is nothing else than that."""
    if held_out.all():
        return float(penalties[-1])
    known, asked = products[~held_out][:, ~held_out], products[held_out][:, ~held_out]
    errors = []
    for penalty in penalties:
        guesses = _DualRidge(known, returns[~held_out], float(penalty)).predict(asked)
        errors.append(np.mean((guesses - returns[held_out]) ** 2))
    return float(penalties[int(np.argmin(errors))])


def _held_out(episode: IntArray) -> NDArray[np.bool_]:
    """(n,): whether a state serves to choose the penalty; whole episodes do, if there are two or more."""
    numbers = np.unique(episode, return_inverse=True)[1]
    return np.asarray((numbers if numbers.max() > 0 else np.arange(len(episode))) % _FOLDS == 0)


def shared_places(one: IntArray, other: IntArray) -> FloatArray:
    """(n, m): at how many places states (n, T) and (m, T) have the same token."""
    shared = np.zeros((len(one), len(other)))
    for place in range(one.shape[1]):
        shared += one[:, place][:, None] == other[:, place]
    return shared
