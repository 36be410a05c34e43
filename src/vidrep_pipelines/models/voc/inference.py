"""A trained occupancy model behind arrays: predictions, rollouts, and states shown as frames."""

from collections.abc import Callable
from typing import Protocol

import numpy as np
import torch
from einops import rearrange
from numpy.lib.stride_tricks import sliding_window_view
from torch import Tensor

from vidrep_pipelines.common.arrays import FloatArray, IntArray, Pixels
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.common.seeds import generator_for
from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.data.token_episodes.episodes import TokenEpisodes
from vidrep_pipelines.models.shared.units import channels_last, to_bytes
from vidrep_pipelines.models.voc.model import VocModel
from vidrep_pipelines.models.voc.sampling import future_log_probabilities, future_rewards, sample_futures
from vidrep_pipelines.models.voc.tokenizers.inference import DecodingTokenizer, depict

_ROWS_AT_ONCE = 64


class OccupancyPredictor:
    """Answers questions about batches of states; an ``OccupancyModel`` of the evaluation.

    Args:
        model: Is put in evaluation mode. As published, the target network draws samples and the trained one
            says how likely states are.
        top_k: Draw from so many likeliest tokens. None: all.
    """

    def __init__(self, model: VocModel, top_k: int | None = None) -> None:
        self._model, self._top_k = model.eval(), top_k
        self._device = next(model.parameters()).device

    def state_samples(
        self, states: IntArray, seeds: IntArray, samples: int, actions: FloatArray | None = None
    ) -> IntArray:
        """States (n, samples, T) drawn from the discounted future of ``states`` (n, T)."""
        drawn: IntArray = self._futures(states, seeds, samples, actions).cpu().numpy()
        return drawn

    def reward_samples(
        self, states: IntArray, seeds: IntArray, samples: int, actions: FloatArray | None = None
    ) -> FloatArray:
        """Predicted rewards (n, samples) of such states."""
        return _array(future_rewards(self._model, self._futures(states, seeds, samples, actions)))

    @torch.no_grad()
    def rewards(self, states: IntArray) -> FloatArray:
        """Predicted rewards (n,) of states (n, T)."""
        parts = torch.split(self._codes(states), _ROWS_AT_ONCE)
        return _array(torch.cat([self._model.rewards(part) for part in parts]))

    def log_probabilities(
        self, states: IntArray, futures: IntArray, actions: FloatArray | None = None
    ) -> FloatArray:
        """Logarithms (n, T) of the probability of each token of ``futures`` (n, T) after ``states``."""
        return self.token_scores(states, futures, actions)[0]

    def token_scores(
        self, states: IntArray, futures: IntArray, actions: FloatArray | None = None
    ) -> tuple[FloatArray, FloatArray]:
        """The same, and the logits (n, T) of the same tokens, before any normalization."""
        contexts, following, action = self._codes(states), self._codes(futures), self._actions(actions)
        parts = [
            future_log_probabilities(
                self._model.gpt, contexts[rows], following[rows], None if action is None else action[rows]
            )
            for rows in torch.split(torch.arange(len(contexts)), _ROWS_AT_ONCE)
        ]
        likely, raw = (torch.cat(column) for column in zip(*parts, strict=True))
        return _array(likely), _array(raw)

    def _futures(self, states: IntArray, seeds: IntArray, samples: int, actions: FloatArray | None) -> Tensor:
        return sample_futures(
            self._model,
            self._codes(states),
            torch.from_numpy(seeds),
            samples,
            action=self._actions(actions),
            top_k=self._top_k,
        )

    def _codes(self, states: IntArray) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(states)).to(self._device)

    def _actions(self, actions: FloatArray | None) -> Tensor | None:
        return None if actions is None else torch.from_numpy(actions).float().to(self._device)


def _array(values: Tensor) -> FloatArray:
    array: FloatArray = values.double().cpu().numpy()
    return array


Behavior = Callable[[IntArray], FloatArray]
"""Gives for states (n, T) the actions (n, A) that are taken in them."""


class StateSampler(Protocol):
    """The part of an :class:`~vidrep_pipelines.models.voc.inference.OccupancyPredictor` that is used here."""

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
        seed: Seed of the draws.
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
        episodes: The episodes to choose from.
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
    places = []
    for episode in long_enough.tolist():
        windows = sliding_window_view(episodes.rewards[episodes.outcomes_of(episode)], horizon)
        changes = np.abs(windows - windows[:, :1]).max(axis=1)
        places.append((-float(changes.max()), episode, int(changes.argmax())))
    return np.array(sorted(place for _, *place in sorted(places)[:count]), np.int64)


class NearestStates:
    """All states of some episodes in which an action was taken, to be searched by their tokens.

    Args:
        episodes: The episodes to search.
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

    def agreement(self, states: IntArray, numbers: IntArray) -> FloatArray:
        """Shares (n,) of the tokens of ``states`` (n, T) that those of ``numbers`` (n,) have too."""
        shares: FloatArray = (self._states[numbers] == states).mean(axis=1)
        return shares

    def actions(self, states: IntArray) -> FloatArray:
        """Actions (n, A) that were taken in the nearest states: a behavior for conditioned models."""
        nearest = self.find(states)
        rows = self._episodes.outcome_rows(self.episode[nearest], self.step[nearest])
        actions: FloatArray = self._episodes.actions[rows].astype(np.float64)
        return actions

    def name(self, number: int) -> str:
        """Episode of a state."""
        return self._episodes.names[int(self.episode[number])]


_FRAMES_AT_ONCE = 64


class Depiction(Protocol):
    """A way to see tokens."""

    @property
    def title(self) -> str:
        """What is seen."""

    def frames(self, states: IntArray) -> Pixels:
        """States (n, T) of S frames to pictures (n, S, H, W, 3)."""

    def captions(self, states: IntArray) -> list[str]:
        """How far to trust each of these pictures, (n,); none if there is nothing to say."""


class DecodedStates:
    """What the tokenizer's decoder makes of the tokens.

    Args:
        tokenizer: That made them.
        frame_stack: Frames S of a state.
    """

    title = "decoded samples"

    def __init__(self, tokenizer: DecodingTokenizer, frame_stack: int) -> None:
        self._tokenizer, self._frame_stack = tokenizer, frame_stack

    def frames(self, states: IntArray) -> Pixels:
        """States (n, T) of S frames to pictures (n, S, H, W, 3)."""
        side = self._tokenizer.grid
        codes = torch.from_numpy(np.ascontiguousarray(states)).reshape(-1, side, side)
        decoded = torch.cat([depict(self._tokenizer, part) for part in torch.split(codes, _FRAMES_AT_ONCE)])
        pixels = channels_last(to_bytes(decoded))
        return rearrange(pixels, "(n f) h w c -> n f h w c", f=self._frame_stack)

    def captions(self, states: IntArray) -> list[str]:
        """None: these are the samples themselves."""
        return []


class RetrievedStates:
    """The real frames of the state with the most tokens in common.

    Args:
        nearest: States to choose from.
        store: Their frames.
        frame_stack: Frames S of a state.
    """

    title = "real frames with the most tokens of a sample"

    def __init__(self, nearest: NearestStates, store: FrameStore, frame_stack: int) -> None:
        self._nearest, self._store, self._frame_stack = nearest, store, frame_stack

    def frames(self, states: IntArray) -> Pixels:
        """States (n, T) of S frames to pictures (n, S, H, W, 3)."""
        back = np.arange(self._frame_stack - 1, -1, -1)
        rows = self._nearest.find(states).tolist()
        return np.stack([
            self._store.frames(self._nearest.name(row), np.maximum(self._nearest.step[row] - back, 0))
            for row in rows
        ])  # fmt: skip

    def captions(self, states: IntArray) -> list[str]:
        """The share of the tokens that the real state has too."""
        agreement = self._nearest.agreement(states, self._nearest.find(states))
        return [f"{share:.0%} alike" for share in agreement]
