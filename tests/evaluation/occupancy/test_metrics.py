import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from vidrep_pipelines.evaluation.occupancy.baselines import TokenFrequencies
from vidrep_pipelines.evaluation.occupancy.measurement import geometric_futures
from vidrep_pipelines.evaluation.occupancy.published_metrics import (
    density_values,
    density_weights,
    published_horizon,
    share_within,
)
from vidrep_pipelines.evaluation.occupancy.scores import (
    calibration_error,
    probability_integral_transform,
    rank_correlation,
    root_mean_square_error,
    slope,
)
from vidrep_pipelines.evaluation.occupancy.state_episode import StateEpisode, choose_contexts


@given(st.lists(st.tuples(st.integers(-4, 4), st.integers(-4, 4)), min_size=3, max_size=30))
@settings(max_examples=50, deadline=None)
def test_rank_correlation_is_spearmans(pairs: list[tuple[int, int]]) -> None:
    one, other = np.array(pairs, dtype=np.float64).T
    found = rank_correlation(one, other)
    if len(set(one)) == 1 or len(set(other)) == 1:
        assert found == 0
    else:
        assert found == pytest.approx(spearmanr(one, other).statistic, abs=1e-9)


def test_value_scores() -> None:
    returned = np.array([1.0, 2.0, 3.0, 4.0])
    predicted = returned / 2 + 1
    assert root_mean_square_error(predicted, returned) == pytest.approx(
        np.sqrt(np.mean((1 - returned / 2) ** 2))
    )
    assert root_mean_square_error(returned, returned) == 0
    assert slope(predicted, returned) == pytest.approx(2)
    assert slope(np.full(4, 2.5), returned) == 0


def test_calibration_is_best_for_the_true_distribution() -> None:
    rng = np.random.default_rng(0)
    actual = rng.standard_normal(2000)
    errors = [
        calibration_error(probability_integral_transform(scale * rng.standard_normal((2000, 100)), actual))
        for scale in (0.3, 1.0, 3.0)
    ]
    assert errors[1] < 0.02
    assert min(errors[0], errors[2]) > 0.1
    ties = probability_integral_transform(np.zeros((10, 4)), np.zeros(10))
    assert calibration_error(ties) == pytest.approx(0.25)


def test_futures_are_geometric_and_in_the_episode() -> None:
    gamma, length = 0.6, 40
    states = np.arange(length + 1)[:, None]
    contexts = choose_contexts([StateEpisode("one", states, np.zeros(length))] * 300, gamma, 30, 3300)
    futures = geometric_futures(
        [StateEpisode("one", states, np.zeros(length))] * 300, contexts, gamma, np.random.default_rng(0)
    )
    offsets = futures[:, 0] - contexts.step
    assert offsets.min() == 1 and futures.max() <= length
    for offset in (1, 2, 3):
        assert np.mean(offsets == offset) == pytest.approx((1 - gamma) * gamma ** (offset - 1), abs=0.03)


def test_short_episodes_end_the_offsets() -> None:
    states = np.arange(4)[:, None]
    episodes = [StateEpisode("short", states, np.zeros(3))] * 100
    contexts = choose_contexts(episodes, 0.95, 1, 300)
    futures = geometric_futures(episodes, contexts, 0.95, np.random.default_rng(0))
    assert (futures[:, 0] > contexts.step).all() and futures.max() == 3


def test_token_frequencies_are_those_of_each_place() -> None:
    frequencies = TokenFrequencies(np.array([[0, 1], [0, 1], [2, 1]]), 3)
    found = np.exp(frequencies.log_probabilities(np.array([[0, 0], [2, 1]])))
    np.testing.assert_allclose(found, [[3 / 6, 1 / 6], [2 / 6, 4 / 6]])


def test_published_metrics() -> None:
    assert [published_horizon(gamma) for gamma in (0.8, 0.95)] == [5, 10]
    assert share_within(0.8, 5) == pytest.approx(0.672, abs=1e-3)
    likely = np.log(np.array([[0.5, 0.25]]))
    assert density_weights(likely, np.array([[1.0, 2.0]]))[0] == pytest.approx(np.sqrt(0.125))
    assert density_weights(likely, np.array([[-1.0, 2.0]]))[0] == pytest.approx(0.125 ** (1 / 3))
    np.testing.assert_allclose(density_values(np.array([[0.5], [2.0]]), np.array([[4.0], [1.0]])), [4.0])
