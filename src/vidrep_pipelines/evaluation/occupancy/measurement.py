"""The whole evaluation of an occupancy model on held-out episodes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.common.seeds import generator_for
from vidrep_pipelines.evaluation.occupancy import published_metrics
from vidrep_pipelines.evaluation.occupancy.calibration import (
    calibration_error,
    probability_integral_transform,
)
from vidrep_pipelines.evaluation.occupancy.config import OccupancyEvaluationConfig
from vidrep_pipelines.evaluation.occupancy.likelihood import (
    LikelihoodScores,
    TokenFrequencies,
    geometric_futures,
)
from vidrep_pipelines.evaluation.occupancy.occupancy_model import OccupancyModel
from vidrep_pipelines.evaluation.occupancy.state_episode import (
    Contexts,
    StateEpisode,
    choose_contexts,
    sufficient_horizon,
    truncated_returns,
)
from vidrep_pipelines.evaluation.occupancy.value_scores import (
    TokenCountRegression,
    ValueScores,
    score_values,
)

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class OccupancyScores:
    """All scores of a model.

    Attributes:
        values: Of the model's values against returns to the end of the episode.
        constant: Of predicting the mean return of the training episodes.
        regression: Of linear regression on token counts.
        likelihood: Of real futures.
        calibration_error: Of sampled rewards against those of real futures, 0 to 0.5.
        published_value_error: Mean squared error against the cut truth, as released; biased.
        published_density_value_error: The released density metric.
        predicted: (n,) values.
        returned: (n,) returns.
        episode: (n,) number of the episode.
        step: (n,).
    """

    values: ValueScores
    constant: ValueScores
    regression: ValueScores
    likelihood: LikelihoodScores
    calibration_error: float
    published_value_error: float
    published_density_value_error: float
    predicted: FloatArray
    returned: FloatArray
    episode: NDArray[np.int64]
    step: NDArray[np.int64]

    def table(self) -> dict[str, float]:
        """The scores by name."""
        return {
            "value_error": self.values.error,
            "value_error_constant": self.constant.error,
            "value_error_regression": self.regression.error,
            "value_rank_correlation": self.values.rank_correlation,
            "value_rank_correlation_regression": self.regression.rank_correlation,
            "value_slope": self.values.slope,
            "log_likelihood_per_token": self.likelihood.log_likelihood,
            "log_likelihood_per_token_baseline": self.likelihood.baseline,
            "perplexity": self.likelihood.perplexity,
            "calibration_error": self.calibration_error,
            "published_value_error": self.published_value_error,
            "published_density_value_error": self.published_density_value_error,
        }


def evaluate_occupancy(
    model: OccupancyModel,
    held_out: Sequence[StateEpisode],
    training: Sequence[StateEpisode],
    *,
    gamma: float,
    vocabulary: int,
    config: OccupancyEvaluationConfig,
) -> OccupancyScores:
    """Scores a model on episodes that it has not seen.

    Args:
        model: What is scored.
        held_out: Episodes to score it on.
        training: Episodes that baselines are fitted to.
        gamma: Discount of the model.
        vocabulary: Number of different tokens.
        config: How many states and samples.

    Raises:
        InputError: The episodes are too short for the discount.
    """
    horizon = sufficient_horizon(gamma, config.left_out)
    contexts = choose_contexts(held_out, gamma, horizon, config.contexts)
    known = choose_contexts(training, gamma, horizon, config.baseline_contexts)
    rng = generator_for("occupancy", config.seed)
    seeds = rng.integers(2**62, size=len(contexts.step))
    rewards = model.reward_samples(contexts.states, seeds, config.samples, contexts.actions)
    predicted = rewards.mean(axis=1) / (1 - gamma)
    futures = geometric_futures(held_out, contexts, gamma, rng)
    regression = TokenCountRegression(known.states, known.returns, vocabulary).predict(contexts.states)
    frequencies = TokenFrequencies(known.states, vocabulary)
    likelihood = LikelihoodScores(
        float(model.log_probabilities(contexts.states, futures, contexts.actions).mean()),
        float(frequencies.log_probabilities(futures).mean()),
    )
    shares = probability_integral_transform(rewards, model.rewards(futures))
    return OccupancyScores(
        values=score_values(predicted, contexts.returns),
        constant=score_values(np.full(len(predicted), known.returns.mean()), contexts.returns),
        regression=score_values(regression, contexts.returns),
        likelihood=likelihood,
        calibration_error=calibration_error(shares),
        published_value_error=_published_value_error(predicted, held_out, contexts, gamma),
        published_density_value_error=_published_density_error(model, held_out, contexts, gamma),
        predicted=predicted,
        returned=contexts.returns,
        episode=contexts.episode,
        step=contexts.step,
    )


def _published_value_error(
    predicted: FloatArray, episodes: Sequence[StateEpisode], contexts: Contexts, gamma: float
) -> float:
    horizon = published_metrics.published_horizon(gamma)
    returns = [truncated_returns(episode.rewards, gamma, horizon) for episode in episodes]
    places = zip(contexts.episode.tolist(), contexts.step.tolist(), strict=True)
    actual = np.array([returns[number][step] for number, step in places])
    return published_metrics.mean_squared_error(predicted, actual)


def _published_density_error(
    model: OccupancyModel, episodes: Sequence[StateEpisode], contexts: Contexts, gamma: float
) -> float:
    """Of the contexts whose episode goes on for as many steps as the metric looks at."""
    horizon = published_metrics.published_horizon(gamma)
    left = np.array([episodes[number].length for number in contexts.episode]) - contexts.step
    chosen = np.flatnonzero(left >= horizon)
    if len(chosen) == 0:
        return float("nan")
    states = contexts.states[chosen]
    actions = None if contexts.actions is None else contexts.actions[chosen]
    weights, rewards = [], []
    for offset in range(1, horizon + 1):
        futures = np.stack([
            episodes[contexts.episode[row]].states[contexts.step[row] + offset] for row in chosen
        ])  # fmt: skip
        likely = model.log_probabilities(states, futures, actions)
        weights.append(published_metrics.density_weights(likely, model.raw_logits(states, futures, actions)))
        rewards.append(model.rewards(futures))
    predicted = published_metrics.density_values(np.stack(weights), np.stack(rewards))
    actual = published_metrics.discounted_sum(np.stack(rewards), gamma)
    return published_metrics.mean_squared_error(predicted, actual)
