"""A world in which the future is known: each episode stays in one state, which says what its reward is."""

import numpy as np
import pytest
from numpy.typing import NDArray

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.evaluation.occupancy.config import OccupancyEvaluationConfig
from vidrep_pipelines.evaluation.occupancy.measurement import OccupancyScores, evaluate_occupancy
from vidrep_pipelines.evaluation.occupancy.state_episode import StateEpisode

GAMMA, LENGTH, VOCABULARY = 0.5, 40, 6
IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]


def worth(states: IntArray) -> FloatArray:
    """Of a state: not linear in the counts of its two tokens."""
    rewards: FloatArray = (states[:, 0] == states[:, 1]).astype(np.float64)
    return rewards


def constant_episode(tokens: tuple[int, int]) -> StateEpisode:
    states = np.tile(np.array(tokens), (LENGTH + 1, 1))
    return StateEpisode(str(tokens), states, worth(states)[1:])


class Oracle:
    """Knows that nothing ever changes; ``doubt`` is the probability that it gives to all other tokens."""

    def __init__(self, doubt: float = 0.01) -> None:
        self._doubt = doubt

    def reward_samples(
        self, states: IntArray, seeds: IntArray, samples: int, actions: FloatArray | None = None
    ) -> FloatArray:
        assert len(seeds) == len(states) and actions is None
        return np.repeat(worth(states)[:, None], samples, axis=1)

    def rewards(self, states: IntArray) -> FloatArray:
        return worth(states)

    def log_probabilities(
        self, states: IntArray, futures: IntArray, actions: FloatArray | None = None
    ) -> FloatArray:
        return np.log(np.where(states == futures, 1 - self._doubt, self._doubt / (VOCABULARY - 1)))

    def raw_logits(
        self, states: IntArray, futures: IntArray, actions: FloatArray | None = None
    ) -> FloatArray:
        return self.log_probabilities(states, futures, actions) + 10


def evaluate(model: Oracle, length: int = LENGTH) -> OccupancyScores:
    rng = np.random.default_rng(0)
    pairs = [tuple(map(int, pair)) for pair in rng.integers(VOCABULARY, size=(60, 2))]
    episodes = [constant_episode((pair[0], pair[1])) for pair in pairs]
    return evaluate_occupancy(
        model,
        [StateEpisode(e.name, e.states[: length + 1], e.rewards[:length]) for e in episodes[:20]],
        episodes[20:],
        gamma=GAMMA,
        vocabulary=VOCABULARY,
        config=OccupancyEvaluationConfig(contexts=200, baseline_contexts=400, samples=3),
    )


def test_who_knows_the_future_beats_the_baselines() -> None:
    scores = evaluate(Oracle())
    assert scores.values.error < 0.02  # what lies beyond the episodes' ends
    assert scores.values.rank_correlation > 0.8
    assert scores.values.error < min(scores.constant.error, scores.regression.error)
    assert scores.likelihood.log_likelihood == pytest.approx(np.log(0.99))
    assert scores.likelihood.baseline < -1
    assert scores.likelihood.perplexity == pytest.approx(1 / 0.99)
    assert len(scores.predicted) == len(scores.returned) == len(scores.step)
    assert scores.table()["value_error"] == scores.values.error
    assert all(np.isfinite(value) for value in scores.table().values())


def test_doubt_costs_likelihood_and_nothing_else() -> None:
    sure, doubtful = evaluate(Oracle()), evaluate(Oracle(0.5))
    assert doubtful.likelihood.log_likelihood < sure.likelihood.log_likelihood
    assert doubtful.values == sure.values


def test_the_published_error_punishes_perfect_values() -> None:
    """The cut truth lacks gamma^J of a constant stream, here with J = 2."""
    scores = evaluate(Oracle())
    rewarded = (scores.returned > 0).mean()
    assert scores.published_value_error == pytest.approx(rewarded * (2 * 0.25) ** 2, rel=1e-6)


def test_short_episodes_are_refused() -> None:
    with pytest.raises(InputError, match="longer episodes"):
        evaluate(Oracle(), length=4)
