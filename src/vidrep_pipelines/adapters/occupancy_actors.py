"""Policies that see tokens: they choose among actions of the data by a judge, or have cloned them."""

from collections.abc import Callable, Sequence

import numpy as np
import torch

from vidrep_pipelines.common.arrays import FloatArray, IntArray
from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.common.seeds import generator_for
from vidrep_pipelines.data.token_episodes.episodes import TokenEpisodes
from vidrep_pipelines.evaluation.occupancy.baselines import shared_places
from vidrep_pipelines.evaluation.occupancy.cloning import ActionCloner
from vidrep_pipelines.evaluation.occupancy.state_episode import discounted_returns
from vidrep_pipelines.evaluation.rollouts.agent_world import CAMERA
from vidrep_pipelines.evaluation.rollouts.protocol import PlanRequest
from vidrep_pipelines.models.voc.inference import OccupancyPredictor
from vidrep_pipelines.models.voc.tokenizers.inference import Tokenizer, tokenize


class TokenEyes:
    """What policies see: the tokens of the last frames of each episode.

    Args:
        tokenizer: Makes tokens of pictures.
        frame_stack: Frames of a state.
    """

    def __init__(self, tokenizer: Tokenizer, frame_stack: int) -> None:
        self._tokenizer, self._frame_stack = tokenizer, frame_stack
        self._seen: dict[str, list[IntArray]] = {}

    def states(self, requests: Sequence[PlanRequest]) -> IntArray:
        """States (B, T) of observations; the first frame of an episode is repeated before it."""
        pictures = np.stack([request.observation.pictures[CAMERA] for request in requests])
        codes = tokenize(self._tokenizer, torch.from_numpy(pictures).permute(0, 3, 1, 2))
        for request, own in zip(requests, codes.flatten(1).cpu().numpy(), strict=True):
            before = [own] * (self._frame_stack - 1) if request.step == 0 else self._seen[request.episode]
            self._seen[request.episode] = [*before, own][-self._frame_stack :]
        return np.stack([np.concatenate(self._seen[request.episode]) for request in requests])


class ActionLibrary:
    """Chunks of actions that were taken in training episodes, to be found by the state they were taken in.

    Args:
        episodes: The training episodes.
        frame_stack: Frames of a state.
        length: Actions of a chunk.
        gamma: Discount of the returns.

    Attributes:
        states: (N, T) tokens.
        actions: (N, length, A), the actions taken from there on.
        returns: (N,) discounted rewards that followed, to the end of the episode.
        total: (N,) all rewards of the episode.

    Raises:
        ConfigurationError: All episodes are shorter than a chunk.
    """

    def __init__(self, episodes: TokenEpisodes, frame_stack: int, length: int, gamma: float) -> None:
        states, actions, returns, total, starts = [], [], [], [], [0]
        for number in range(len(episodes.names)):
            rows = episodes.outcomes_of(number)
            taken, rewards = episodes.actions[rows], episodes.rewards[rows].astype(np.float64)
            count = len(taken) - length + 1
            if count < 1:
                continue
            states.append(episodes.states_of(number, frame_stack)[:count])
            actions.append(np.stack([taken[step : step + length] for step in range(count)]))
            returns.append(discounted_returns(rewards, gamma)[:count])
            total.append(np.full(count, rewards.sum()))
            starts.append(starts[-1] + count)
        if not states:
            raise ConfigurationError(
                f"No episode has {length} actions. Remedy: lower occupancy_acting.rollout.execute_steps."
            )
        self.states, self.actions = np.concatenate(states), np.concatenate(actions).astype(np.float64)
        self.returns, self.total = np.concatenate(returns), np.concatenate(total)
        self._starts = np.array(starts)

    def nearest(self, states: IntArray, count: int) -> IntArray:
        """Rows (B, K) that share most tokens with states (B, T), each of another episode, the best first."""
        alike = shared_places(states, self.states)
        best = np.maximum.reduceat(alike, self._starts[:-1], axis=1)
        episodes = np.argsort(-best, axis=1, kind="stable")[:, :count]
        return np.array([
            [int(self._starts[one] + row[self._starts[one] : self._starts[one + 1]].argmax()) for one in own]
            for row, own in zip(alike, episodes.tolist(), strict=True)
        ])  # fmt: skip


Judge = Callable[[IntArray, IntArray, Sequence[PlanRequest]], FloatArray]
"""Scores (B, K) of candidate rows (B, K) of the library, for states (B, T) and what was asked of them."""


class RetrievingActor:
    """Does what was done in one of the most similar training states: a ``ChunkPolicy``.

    Args:
        eyes: What it sees.
        library: What there is to be done.
        candidates: How many of these it chooses from.
        judge: Says how good they are.
    """

    def __init__(self, eyes: TokenEyes, library: ActionLibrary, candidates: int, judge: Judge) -> None:
        self._eyes, self._library, self._candidates, self._judge = eyes, library, candidates, judge
        self.chunk_length = int(library.actions.shape[1])

    def plan(self, requests: Sequence[PlanRequest]) -> FloatArray:
        """(B, length, A): the actions of the best candidate."""
        states = self._eyes.states(requests)
        rows = self._library.nearest(states, self._candidates)
        chosen = self._judge(states, rows, requests).argmax(axis=1)
        actions: FloatArray = self._library.actions[rows[np.arange(len(rows)), chosen]]
        return actions


class CloningActor:
    """Does what a network has learned to do: a ``ChunkPolicy``.

    Args:
        eyes: What it sees.
        cloner: The network.
        length: Actions of a plan.
    """

    def __init__(self, eyes: TokenEyes, cloner: ActionCloner, length: int) -> None:
        self._eyes, self._cloner, self.chunk_length = eyes, cloner, length

    def plan(self, requests: Sequence[PlanRequest]) -> FloatArray:
        """(B, length, A) of what it sees."""
        actions = self._cloner.act(self._eyes.states(requests))
        return np.clip(actions, -1, 1).reshape(len(requests), self.chunk_length, -1)


def value_judge(predictor: OccupancyPredictor, library: ActionLibrary, samples: int) -> Judge:
    """By the mean predicted reward in the discounted future of a state and a candidate's first action."""

    def judge(states: IntArray, rows: IntArray, requests: Sequence[PlanRequest]) -> FloatArray:
        count = rows.shape[1]
        seeds = np.repeat([request.seed % 2**62 for request in requests], count)
        first = library.actions[rows.reshape(-1), 0]
        rewards = predictor.reward_samples(np.repeat(states, count, axis=0), seeds, samples, first)
        values: FloatArray = rewards.mean(axis=1).reshape(rows.shape)
        return values

    return judge


def return_judge(library: ActionLibrary) -> Judge:
    """By what the candidate's own episode returned from there on."""
    return lambda states, rows, requests: library.returns[rows]


def chance_judge(states: IntArray, rows: IntArray, requests: Sequence[PlanRequest]) -> FloatArray:
    """By chance, from the seeds of what was asked."""
    return np.stack([generator_for("candidate", request.seed).random(rows.shape[1]) for request in requests])
