"""Futures further and further ahead, by asking the model about what it gave before."""

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.common.seeds import generator_for
from vidrep_pipelines.models.voc.token_episodes import TokenEpisodes

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]

Behavior = Callable[[IntArray], FloatArray]
"""From states (n, T) to the actions (n, A) that are taken in them."""


class StateSampler(Protocol):
    """The part of an :class:`~vidrep_pipelines.models.voc.predictor.OccupancyPredictor` that is used here."""

    def state_samples(
        self, states: IntArray, seeds: IntArray, samples: int, actions: FloatArray | None = None
    ) -> IntArray:
        """States (n, samples, T) drawn from the discounted future of ``states`` (n, T)."""


def roll_out(
    sampler: StateSampler,
    states: IntArray,
    samples: int,
    jumps: int,
    seed: int,
    behavior: Behavior | None = None,
) -> IntArray:
    """Samples chains of states, each drawn from the discounted future of the one before.

    A sample of the discounted future bears no time: it is from one step ahead with probability ``1 - gamma``,
    from two with ``gamma (1 - gamma)``, and so on; ``1 / (1 - gamma)`` on the average. But what follows it is
    later still, so that after k jumps the mean time is ``k / (1 - gamma)`` and its distribution negative
    binomial (Janner et al. 2020, gamma-models, arXiv:2010.14496, section 5).

    Args:
        sampler: The model.
        states: (n, T) to start from.
        samples: Chains S from each.
        jumps: States K of a chain.
        seed: Of the draws.
        behavior: Chooses the actions, for a model that is conditioned on them.

    Returns:
        (n, S, K, T).
    """
    current, shape = np.repeat(states, samples, axis=0), (len(states), samples, 1, states.shape[1])
    chain = []
    for jump in range(jumps):
        seeds = generator_for("rollout", seed, jump).integers(2**62, size=len(current))
        actions = None if behavior is None else behavior(current)
        current = sampler.state_samples(current, seeds, 1, actions)[:, 0]
        chain.append(current.reshape(shape))
    return np.concatenate(chain, axis=2)


def steps_per_jump(gamma: float) -> int:
    """Steps that a jump takes on the average, rounded."""
    return round(1 / (1 - gamma))


def eventful_contexts(episodes: TokenEpisodes, horizon: int, count: int) -> IntArray:
    """Where the most happens: the steps after which the reward changes the most, one step per episode.

    Nothing about the model enters the choice; it favors moments in which a prediction is hard.

    Args:
        episodes: To choose from.
        horizon: Steps that must follow, and within which the reward changes.
        count: How many; fewer if there are not so many episodes of this length.

    Returns:
        (n, 2) episodes and steps, in the order of the episodes.

    Raises:
        InputError: All episodes are shorter.
    """
    long_enough = np.flatnonzero(episodes.lengths >= horizon)
    if len(long_enough) == 0:
        raise InputError(
            f"Futures of {horizon} steps are to be shown, but the longest episode has "
            f"{episodes.lengths.max()}. Remedy: lower occupancy_futures.jumps, or collect longer episodes."
        )
    found = []
    for episode in long_enough.tolist():
        windows = sliding_window_view(episodes.rewards[episodes.outcomes_of(episode)], horizon)
        changes = np.abs(windows - windows[:, :1]).max(axis=1)
        found.append((-float(changes.max()), episode, int(changes.argmax())))
    return np.array(sorted(place for _, *place in sorted(found)[:count]), np.int64)
