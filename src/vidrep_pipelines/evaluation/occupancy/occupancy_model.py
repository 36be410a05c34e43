"""What the evaluation asks of a model, whatever it is made of."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


class OccupancyModel(Protocol):
    """A model of the discounted future of a state. States are (n, T) tokens, actions (n, A) or none."""

    def reward_samples(
        self, states: IntArray, seeds: IntArray, samples: int, actions: FloatArray | None = None
    ) -> FloatArray:
        """Predicted rewards (n, samples) of states drawn from the discounted future of each.

        Args:
            states: (n, T).
            seeds: (n,) of the draws.
            samples: How many for each state.
            actions: (n, A), taken in ``states``.
        """

    def rewards(self, states: IntArray) -> FloatArray:
        """Predicted rewards (n,) of being in ``states``."""

    def log_probabilities(
        self, states: IntArray, futures: IntArray, actions: FloatArray | None = None
    ) -> FloatArray:
        """Logarithms (n, T) of the probability of each token of ``futures`` in the future of ``states``."""

    def token_scores(
        self, states: IntArray, futures: IntArray, actions: FloatArray | None = None
    ) -> tuple[FloatArray, FloatArray]:
        """The same, and the logits (n, T) of the same tokens, which only a published metric needs."""
