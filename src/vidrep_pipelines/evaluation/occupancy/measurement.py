"""Asks an occupancy model about states of episodes that it has not seen."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import pandas as pd

from vidrep_pipelines.common.arrays import FloatArray, IntArray
from vidrep_pipelines.common.progress import Progress
from vidrep_pipelines.common.seeds import generator_for
from vidrep_pipelines.evaluation.occupancy import published_metrics
from vidrep_pipelines.evaluation.occupancy.baselines import (
    TokenCountRegression,
    TokenFrequencies,
    TokenPlaceRegression,
)
from vidrep_pipelines.evaluation.occupancy.config import OccupancyEvaluationConfig
from vidrep_pipelines.evaluation.occupancy.scores import probability_integral_transform
from vidrep_pipelines.evaluation.occupancy.state_episode import (
    Contexts,
    StateEpisode,
    choose_contexts,
    discounted_returns,
    sufficient_horizon,
    truncated_returns,
)


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


class OccupancyModel(Protocol):
    """A model of the discounted future of a state. States are (n, T) tokens, actions (n, A) or none."""

    def reward_samples(
        self, states: IntArray, seeds: IntArray, samples: int, actions: FloatArray | None = None
    ) -> FloatArray:
        """Predicted rewards (n, samples) of states drawn from the discounted future of each.

        Args:
            states: (n, T).
            seeds: (n,) of the draws.
            samples: Number of samples for each state.
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


_STATES_AT_ONCE = 64


def measure_contexts(
    model: OccupancyModel,
    held_out: Sequence[StateEpisode],
    training: Sequence[StateEpisode],
    *,
    gamma: float,
    vocabulary: int,
    config: OccupancyEvaluationConfig,
) -> pd.DataFrame:
    """Values, likelihoods and samples of a model, beside what happened and what baselines say.

    Args:
        model: The model to be measured.
        held_out: Episodes to measure it on.
        training: Episodes that baselines are fitted to.
        gamma: Discount of the model.
        vocabulary: Number of different tokens.
        config: How many states and samples.

    Returns:
        One row per state, in the order of episodes and steps: ``episode`` (name), ``step``;
        ``returned``, the discounted sum of rewards to the end of the episode, and its predictions
        ``predicted``, ``constant`` (the mean of the training episodes), ``regression`` (on token counts) and
        ``place_regression`` (on which token is at which place);
        ``predicted_with_true_future``, what the reward head alone makes of the real states that follow;
        ``predicted_deviation``, the standard deviation of ``predicted`` that is due to the finite number of
        samples; ``log_likelihood`` and ``log_likelihood_frequencies``, per token of a real future at a
        geometric offset, by the model and by the frequencies of tokens in the training episodes;
        ``calibration_share``, where that future's predicted reward lies among those of the samples;
        ``published_returned``, ``published_density_predicted`` and ``published_density_returned``, see
        :mod:`~vidrep_pipelines.evaluation.occupancy.published_metrics`.

    Raises:
        InputError: The episodes are too short for the discount.
    """
    shortest = published_metrics.published_horizon(gamma)
    horizon = max(sufficient_horizon(gamma, config.left_out), shortest)
    contexts = choose_contexts(held_out, gamma, horizon, config.contexts)
    known = choose_contexts(training, gamma, horizon, config.baseline_contexts)
    rng = generator_for("occupancy", config.seed)
    seeds = rng.integers(2**62, size=len(contexts.step))
    rewards = _reward_samples(model, contexts, seeds, config.samples)
    futures = geometric_futures(held_out, contexts, gamma, rng)
    regression = TokenCountRegression(known.states, known.returns, vocabulary)
    places = TokenPlaceRegression(known.states, known.returns, known.episode)
    frequencies = TokenFrequencies(known.states, vocabulary)
    density_predicted, density_returned = _published_density(model, held_out, contexts, gamma)
    return pd.DataFrame({
        "episode": [held_out[number].name for number in contexts.episode],
        "step": contexts.step,
        "returned": contexts.returns,
        "predicted": rewards.mean(axis=1) / (1 - gamma),
        "predicted_deviation": rewards.std(axis=1) / (1 - gamma) / np.sqrt(config.samples),
        "predicted_with_true_future": _values_of_true_futures(model, held_out, contexts, gamma),
        "constant": np.full(len(contexts.step), known.returns.mean()),
        "regression": regression.predict(contexts.states),
        "place_regression": places.predict(contexts.states),
        "log_likelihood": model.log_probabilities(contexts.states, futures, contexts.actions).mean(axis=1),
        "log_likelihood_frequencies": frequencies.log_probabilities(futures).mean(axis=1),
        "calibration_share": probability_integral_transform(rewards, model.rewards(futures)),
        "published_returned": _published_returns(held_out, contexts, gamma),
        "published_density_predicted": density_predicted,
        "published_density_returned": density_returned,
    })  # fmt: skip


def _reward_samples(model: OccupancyModel, contexts: Contexts, seeds: IntArray, samples: int) -> FloatArray:
    """(n, samples): by far the longest part of a measurement."""
    parts = []
    with Progress(len(seeds), "occupancy", "state") as progress:
        for start in range(0, len(seeds), _STATES_AT_ONCE):
            rows = slice(start, start + _STATES_AT_ONCE)
            actions = None if contexts.actions is None else contexts.actions[rows]
            parts.append(model.reward_samples(contexts.states[rows], seeds[rows], samples, actions))
            progress.advance(len(parts[-1]))
    return np.concatenate(parts)


def _values_of_true_futures(
    model: OccupancyModel, episodes: Sequence[StateEpisode], contexts: Contexts, gamma: float
) -> FloatArray:
    """(n,): discounted sums of the rewards that the model predicts in the states that really follow."""
    returns = [discounted_returns(model.rewards(episode.states[1:]), gamma) for episode in episodes]
    return _at(returns, contexts)


def _at(values: Sequence[FloatArray], contexts: Contexts) -> FloatArray:
    """(n,): of the values (L,) of every episode, those at the contexts."""
    places = zip(contexts.episode.tolist(), contexts.step.tolist(), strict=True)
    return np.array([values[number][step] for number, step in places])


def _published_returns(episodes: Sequence[StateEpisode], contexts: Contexts, gamma: float) -> FloatArray:
    """(n,): what the published truth counts."""
    horizon = published_metrics.published_horizon(gamma)
    returns = [truncated_returns(episode.rewards, gamma, horizon) for episode in episodes]
    return _at(returns, contexts)


def _published_density(
    model: OccupancyModel, episodes: Sequence[StateEpisode], contexts: Contexts, gamma: float
) -> tuple[FloatArray, FloatArray]:
    """(n,) values of the published density metric, and (n,) what it compares them with."""
    weights, rewards = [], []
    for offset in range(1, published_metrics.published_horizon(gamma) + 1):
        places = zip(contexts.episode.tolist(), (contexts.step + offset).tolist(), strict=True)
        futures = np.stack([episodes[number].states[step] for number, step in places])
        scores = model.token_scores(contexts.states, futures, contexts.actions)
        weights.append(published_metrics.density_weights(*scores))
        rewards.append(model.rewards(futures))
    predicted = published_metrics.density_values(np.stack(weights), np.stack(rewards))
    return predicted, published_metrics.discounted_sum(np.stack(rewards), gamma)
