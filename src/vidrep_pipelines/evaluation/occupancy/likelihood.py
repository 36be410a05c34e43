"""How likely a model finds real states of the discounted future.

With offsets drawn from the geometric distribution, the mean log-likelihood is a proper score of the
occupancy: no model does better on the average than the true one.
"""

from collections.abc import Sequence

import numpy as np

from vidrep_pipelines.common.arrays import FloatArray, IntArray
from vidrep_pipelines.evaluation.occupancy.state_episode import Contexts, StateEpisode


def geometric_futures(
    episodes: Sequence[StateEpisode], contexts: Contexts, gamma: float, rng: np.random.Generator
) -> IntArray:
    """States (n, T) of the same episodes at geometric offsets; those past the end are drawn again."""
    left = np.array([episodes[number].length for number in contexts.episode]) - contexts.step
    # The inverse of the cumulative distribution, restricted to the offsets that are possible.
    uniform = rng.random(len(left)) * (1 - gamma**left)
    offset = np.minimum(1 + np.floor(np.log1p(-uniform) / np.log(gamma)).astype(np.int64), left)
    places = zip(contexts.episode.tolist(), (contexts.step + offset).tolist(), strict=True)
    return np.stack([episodes[number].states[step] for number, step in places])


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
        found: FloatArray = self._log_frequencies[np.arange(states.shape[1]), states]
        return found
