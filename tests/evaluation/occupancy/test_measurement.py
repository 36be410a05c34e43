"""A world in which the future is known: each episode stays in one state, which says what its reward is."""

import numpy as np
import pandas as pd
import pytest

from vidrep_pipelines.common.arrays import FloatArray, IntArray
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.evaluation.occupancy.config import OccupancyEvaluationConfig
from vidrep_pipelines.evaluation.occupancy.measurement import measure_contexts
from vidrep_pipelines.evaluation.occupancy.state_episode import StateEpisode

GAMMA, LENGTH, VOCABULARY = 0.5, 40, 6


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

    def token_scores(
        self, states: IntArray, futures: IntArray, actions: FloatArray | None = None
    ) -> tuple[FloatArray, FloatArray]:
        likely = self.log_probabilities(states, futures, actions)
        return likely, likely + 10


def measure(model: Oracle, length: int = LENGTH, gamma: float = GAMMA) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    pairs = [tuple(map(int, pair)) for pair in rng.integers(VOCABULARY, size=(60, 2))]
    episodes = [constant_episode((pair[0], pair[1])) for pair in pairs]
    return measure_contexts(
        model,
        [StateEpisode(e.name, e.states[: length + 1], e.rewards[:length]) for e in episodes[:20]],
        episodes[20:],
        gamma=gamma,
        vocabulary=VOCABULARY,
        config=OccupancyEvaluationConfig(contexts=200, baseline_contexts=400, samples=3),
    )


def error(values: pd.DataFrame, prediction: str) -> float:
    return float(np.sqrt(((values[prediction] - values["returned"]) ** 2).mean()))


def test_who_knows_the_future_beats_the_baselines() -> None:
    values = measure(Oracle())
    assert error(values, "predicted") < 0.02  # what lies beyond the episodes' ends
    assert error(values, "predicted") < min(error(values, "constant"), error(values, "regression"))
    pd.testing.assert_series_equal(
        values["predicted_with_true_future"], values["returned"], check_names=False
    )  # its reward head is exact
    np.testing.assert_allclose(values["log_likelihood"], np.log(0.99))
    assert values["log_likelihood_frequencies"].mean() < -1
    assert (values["predicted_deviation"] == 0).all()  # all samples are alike
    assert (values["calibration_share"] == 0.5).all()  # and tie with what happens


def test_states_are_named_and_in_order() -> None:
    values = measure(Oracle())
    assert len(values) == 200 and values["step"].max() <= LENGTH - 7  # 1 % of the future is left after 7
    assert set(values["episode"]) <= {f"({one}, {other})" for one in range(6) for other in range(6)}
    assert values.notna().all(axis=None)


def test_doubt_costs_likelihood_and_nothing_else() -> None:
    sure, doubtful = measure(Oracle()), measure(Oracle(0.5))
    assert doubtful["log_likelihood"].mean() < sure["log_likelihood"].mean()
    pd.testing.assert_series_equal(doubtful["predicted"], sure["predicted"])


def test_the_published_truth_punishes_perfect_values() -> None:
    """The cut truth lacks gamma^J of a constant stream, here with J = 2."""
    values = measure(Oracle())
    lacking = values["predicted"] - values["published_returned"]
    np.testing.assert_allclose(lacking, np.where(values["returned"] > 0, 2 * 0.25, 0))


def test_the_published_density_metric_is_that_of_the_released_code() -> None:
    """Tokens are as likely as 0.99 each, no logit is negative: weights are the geometric mean, 0.99."""
    values = measure(Oracle())
    rewarded = values["returned"] > 0
    np.testing.assert_allclose(values["published_density_predicted"], np.where(rewarded, 2 * 0.99, 0))
    np.testing.assert_allclose(values["published_density_returned"], np.where(rewarded, 1.5, 0))


def test_short_episodes_are_refused() -> None:
    with pytest.raises(InputError, match="longer episodes"):
        measure(Oracle(), length=4)
