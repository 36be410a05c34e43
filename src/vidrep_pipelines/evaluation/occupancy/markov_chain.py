"""Toy Markov chains whose discounted occupancy and values are known exactly.

A state is shown as a codeword of tokens, or as one of several. So a model of tokens can be scored without any
sampling: the probability of a state is the sum over its codewords.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vidrep_pipelines.common.arrays import FloatArray, IntArray
from vidrep_pipelines.common.errors import InputError

CodewordProbability = Callable[[IntArray, IntArray], FloatArray]
"""From contexts (n, T) and futures (n, T) to the logarithms (n,) of the futures' probabilities."""


@dataclass(frozen=True, eq=False)
class MarkovChain:
    """A chain of n states, each shown as one of c codewords of T tokens.

    Attributes:
        transitions: (n, n) probability of the next state, rows sum to 1.
        reward: (n,) received on entering a state.
        gamma: Discount.
        codewords: (n, c, T) tokens.
        codeword_probability: (n, c), rows sum to 1.
        states: (E, L + 1) states of recorded episodes.
        emission: (E, L + 1) which codeword was shown.
        vocabulary: Number of different tokens.
    """

    transitions: FloatArray
    reward: FloatArray
    gamma: float
    codewords: IntArray
    codeword_probability: FloatArray
    states: IntArray
    emission: IntArray
    vocabulary: int

    @property
    def occupancy(self) -> FloatArray:
        """(n, n): ``M = (1 - gamma) P (I - gamma P)^-1``, first counting the next state."""
        return discounted_occupancy(self.transitions, self.gamma)

    @property
    def value(self) -> FloatArray:
        """(n,): discounted sum of the rewards to come, ``M r / (1 - gamma)``."""
        value: FloatArray = self.occupancy @ self.reward / (1 - self.gamma)
        return value

    def truncated_value(self, horizon: int) -> FloatArray:
        """(n,): the same for so many steps only."""
        value = np.zeros_like(self.reward)
        for _ in range(horizon):
            value = self.transitions @ (self.reward + self.gamma * value)
        return value

    def counted_transitions(self) -> FloatArray:
        """(n, n): the maximum-likelihood estimate from the recorded episodes."""
        counts = np.zeros_like(self.transitions)
        np.add.at(counts, (self.states[:, :-1], self.states[:, 1:]), 1)
        shares: FloatArray = counts / counts.sum(axis=1, keepdims=True)
        return shares

    def shown(self) -> IntArray:
        """(E, L + 1, T): the tokens of the recorded episodes."""
        return self.codewords[self.states, self.emission]


@dataclass(frozen=True)
class ChainScores:
    """How far a model is from the exact answer.

    Attributes:
        total_variation: Mean over states of half the sum of absolute differences of the occupancies, with
            probability on strings of tokens that mean no state counted as wrong.
        invalid_mass: Mean probability of such strings.
        value_error: Root mean square error of values, such strings counted as reward 0.
        renormalized_value_error: The same after distributing their probability over the states.
        mean_value_error: That of predicting the mean value for all states.
    """

    total_variation: float
    invalid_mass: float
    value_error: float
    renormalized_value_error: float
    mean_value_error: float


def discounted_occupancy(transitions: FloatArray, gamma: float) -> FloatArray:
    """``(1 - gamma) P (I - gamma P)^-1`` of (n, n) transitions."""
    identity = np.eye(len(transitions))
    occupancy: FloatArray = (1 - gamma) * transitions @ np.linalg.inv(identity - gamma * transitions)
    return occupancy


def load_chain(path: Path) -> MarkovChain:
    """Reads a chain from an ``.npz`` file.

    Raises:
        InputError: The file cannot be read or lacks a part.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            return MarkovChain(
                transitions=file["P"].astype(np.float64),
                reward=file["reward"].astype(np.float64),
                gamma=float(file["gamma"]),
                codewords=file["codewords"].astype(np.int64),
                codeword_probability=file["codeword_prob"].astype(np.float64),
                states=file["states"].astype(np.int64),
                emission=file["emission"].astype(np.int64),
                vocabulary=int(file["vocab_size"]),
            )
    except (OSError, KeyError, ValueError) as error:
        raise InputError(f"{path} is no Markov chain ({error}).") from error


def modeled_occupancy(chain: MarkovChain, log_probability: CodewordProbability) -> FloatArray:
    """(n, n): the model's probability of each state after each, by going through all codewords.

    A state's own codewords are averaged over as contexts, and summed over as futures.
    """
    n, c, T = chain.codewords.shape
    words = chain.codewords.reshape(n * c, T)
    contexts, futures = (
        np.ascontiguousarray(array) for array in (np.repeat(words, n * c, 0), np.tile(words, (n * c, 1)))
    )
    by_codeword = np.exp(log_probability(contexts, futures)).reshape(n, c, n, c).sum(axis=3)
    occupancy: FloatArray = np.einsum("ncm,nc->nm", by_codeword, chain.codeword_probability)
    return occupancy


def score_chain(chain: MarkovChain, log_probability: CodewordProbability) -> ChainScores:
    """Compares a model with the exact occupancy and values of a chain."""
    modeled, value = modeled_occupancy(chain, log_probability), chain.value
    mass = modeled.sum(axis=1)
    wrong = np.abs(modeled - chain.occupancy).sum(axis=1) + np.maximum(1 - mass, 0)
    predicted = modeled @ chain.reward / (1 - chain.gamma)
    return ChainScores(
        total_variation=float(wrong.mean() / 2),
        invalid_mass=float((1 - mass).mean()),
        value_error=_root_mean_square(predicted - value),
        renormalized_value_error=_root_mean_square(predicted / mass - value),
        mean_value_error=_root_mean_square(value.mean() - value),
    )


def _root_mean_square(errors: FloatArray) -> float:
    return float(np.sqrt(np.mean(errors**2)))
