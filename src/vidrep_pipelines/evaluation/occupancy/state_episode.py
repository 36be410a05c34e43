"""Episodes as the evaluation sees them."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, log

import numpy as np

from vidrep_pipelines.common.arrays import FloatArray, IntArray
from vidrep_pipelines.common.errors import InputError


@dataclass(frozen=True, eq=False)
class StateEpisode:
    """One episode of L steps.

    Attributes:
        name: The episode's name, for messages.
        states: (L + 1, T) tokens.
        rewards: (L,), of the step from each state to the next.
        actions: (L, A), or none if the model knows no actions.
    """

    name: str
    states: IntArray
    rewards: FloatArray
    actions: FloatArray | None = None

    def __post_init__(self) -> None:
        if len(self.states) != len(self.rewards) + 1:
            raise InputError(
                f"Episode {self.name!r} has {len(self.states)} states and {len(self.rewards)} rewards; there "
                "must be one state more than rewards. Remedy: collect it again, with its rewards."
            )

    @property
    def length(self) -> int:
        """Steps L."""
        return len(self.rewards)


def discounted_returns(rewards: FloatArray, gamma: float) -> FloatArray:
    """(L,): the discounted sum of rewards from each step to the end."""
    returns = np.zeros(len(rewards))
    total = 0.0
    for step in range(len(rewards) - 1, -1, -1):
        total = float(rewards[step]) + gamma * total
        returns[step] = total
    return returns


def truncated_returns(rewards: FloatArray, gamma: float, horizon: int) -> FloatArray:
    """(L,): the same for at most ``horizon`` steps."""
    returns = discounted_returns(rewards, gamma)
    beyond = np.zeros(len(rewards))
    if horizon < len(rewards):
        beyond[: len(rewards) - horizon] = gamma**horizon * returns[horizon:]
    return returns - beyond


def sufficient_horizon(gamma: float, left_out: float) -> int:
    """The fewest steps after which at most the share ``left_out`` of the discounted future remains."""
    return ceil(log(left_out) / log(gamma))


@dataclass(frozen=True, eq=False)
class Contexts:
    """States of episodes to start from.

    Attributes:
        episode: (n,) number of the episode.
        step: (n,).
        states: (n, T) tokens.
        returns: (n,) discounted sums of the rewards that followed, to the end of the episode.
        actions: (n, A), or none.
    """

    episode: IntArray
    step: IntArray
    states: IntArray
    returns: FloatArray
    actions: FloatArray | None


def choose_contexts(episodes: Sequence[StateEpisode], gamma: float, horizon: int, count: int) -> Contexts:
    """Spreads contexts evenly over all states that at least ``horizon`` steps of their episode follow.

    Raises:
        InputError: No episode is that long.
    """
    usable = [max(episode.length - horizon + 1, 0) for episode in episodes]
    if sum(usable) == 0:
        longest = max((episode.length for episode in episodes), default=0)
        raise InputError(
            f"No episode has {horizon} steps, which the discount {gamma} needs; the longest has {longest}. "
            "Remedy: evaluate on longer episodes, lower gamma, or raise occupancy.left_out."
        )
    starts = np.concatenate([[0], np.cumsum(usable)])
    positions = np.unique(np.linspace(0, starts[-1] - 1, min(count, int(starts[-1]))).astype(np.int64))
    number = np.searchsorted(starts, positions, side="right") - 1
    step = positions - starts[number]
    places = list(zip(number.tolist(), step.tolist(), strict=True))
    returns = [discounted_returns(episode.rewards, gamma) for episode in episodes]
    actions = None
    if episodes[0].actions is not None:
        actions = np.stack([_action(episodes[episode], place) for episode, place in places])
    return Contexts(
        episode=number,
        step=step,
        states=np.stack([episodes[episode].states[place] for episode, place in places]),
        returns=np.array([returns[episode][place] for episode, place in places]),
        actions=actions,
    )


def _action(episode: StateEpisode, step: int) -> FloatArray:
    if episode.actions is None:
        raise InputError(f"Episode {episode.name!r} has no actions, others have.")
    action: FloatArray = episode.actions[step]
    return action
