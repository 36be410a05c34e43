"""Real states that resemble sampled ones: what a kind of token without a decoder can show."""

import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.models.voc.token_episodes import TokenEpisodes

IntArray = NDArray[np.int64]


class NearestStates:
    """All states of some episodes in which an action was taken, to be searched by their tokens.

    Args:
        episodes: To search.
        frame_stack: Frames of a state.
    """

    def __init__(self, episodes: TokenEpisodes, frame_stack: int) -> None:
        self._episodes = episodes
        self.episode = np.repeat(np.arange(len(episodes.names)), episodes.lengths)
        self.step = np.concatenate([np.arange(length) for length in episodes.lengths])
        self._states = episodes.states(self.episode, self.step, frame_stack).astype(np.int16)

    def find(self, states: IntArray) -> IntArray:
        """Numbers (n,) of the states that have the most tokens in common with ``states`` (n, T)."""
        wanted = states.astype(np.int16)
        return np.array([int((self._states == state).sum(axis=1).argmax()) for state in wanted], np.int64)

    def agreement(self, states: IntArray, found: IntArray) -> NDArray[np.float64]:
        """Shares (n,) of the tokens of ``states`` (n, T) that those found (n,) have too."""
        shares: NDArray[np.float64] = (self._states[found] == states).mean(axis=1)
        return shares

    def actions(self, states: IntArray) -> NDArray[np.float64]:
        """Actions (n, A) that were taken in the nearest states: a behavior for conditioned models."""
        found = self.find(states)
        rows = self._episodes.outcome_rows(self.episode[found], self.step[found])
        actions: NDArray[np.float64] = self._episodes.actions[rows].astype(np.float64)
        return actions

    def name(self, number: int) -> str:
        """Episode of a state."""
        return self._episodes.names[int(self.episode[number])]
