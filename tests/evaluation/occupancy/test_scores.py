import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vidrep_pipelines.evaluation.occupancy.config import OccupancyEvaluationConfig
from vidrep_pipelines.evaluation.occupancy.scores import METRICS, score_table

QUICK = OccupancyEvaluationConfig(resamples=60)


def make_values(episodes: int = 6, steps: int = 8, noise: float = 0.0, seed: int = 0) -> pd.DataFrame:
    """Measured states of a model that is off by ``noise`` and of baselines that are off by more."""
    rng = np.random.default_rng(seed)
    n = episodes * steps
    returned = rng.uniform(0, 5, n)
    return pd.DataFrame({
        "episode": np.repeat([f"run_{number}" for number in range(episodes)], steps),
        "step": np.tile(np.arange(steps), episodes),
        "returned": returned,
        "predicted": returned + noise * rng.standard_normal(n),
        "predicted_deviation": np.full(n, noise),
        "predicted_with_true_future": returned + 0.25,
        "constant": np.full(n, 2.0),
        "regression": returned + rng.standard_normal(n),
        "place_regression": returned + 0.5 * rng.standard_normal(n),
        "log_likelihood": np.full(n, np.log(0.5)),
        "log_likelihood_frequencies": np.full(n, -2.0),
        "calibration_share": (rng.permutation(n) + 0.5) / n,
        "published_returned": returned - 1,
        "published_density_predicted": returned,
        "published_density_returned": returned + 2,
    })  # fmt: skip


def test_a_perfect_model() -> None:
    scores = score_table(make_values(), QUICK).set_index("metric")
    value = scores["value"]
    assert value["value_error"] == 0 and scores.loc["value_error", "high"] == 0
    assert value["value_rank_correlation"] == pytest.approx(1)
    assert value["value_error_with_true_future"] == pytest.approx(0.25)
    assert value["value_slope"] == pytest.approx(1)
    assert value["perplexity"] == pytest.approx(2)
    assert value["calibration_error"] == pytest.approx(0)
    assert value["log_likelihood_more_than_frequencies"] == pytest.approx(2 - np.log(2))
    assert value["published_value_error"] == pytest.approx(1)  # biased: a perfect model is not at 0
    assert value["published_density_value_error"] == pytest.approx(4)
    assert value["value_error_less_than_constant"] == value["value_error_constant"] > 1
    assert list(scores.index) == [metric.name for metric in METRICS]
    assert (scores["states"] == 48).all() and (scores["episodes"] == 6).all()


def test_a_model_beats_a_baseline_beyond_doubt_if_the_interval_of_the_difference_is_above_zero() -> None:
    good, bad = (score_table(make_values(noise=noise), QUICK).set_index("metric") for noise in (0.2, 1.0))
    assert good.loc["value_error_less_than_regression", "low"] > 0
    assert bad.loc["value_error_less_than_regression", "low"] < 0
    assert good.loc["value_error", "value"] < bad.loc["value_error", "value"]


@given(st.integers(1, 5), st.integers(2, 6), st.floats(0, 2), st.integers(0, 100))
@settings(max_examples=15, deadline=None)
def test_intervals_hold_the_scores_of_whole_episodes(
    episodes: int, steps: int, noise: float, seed: int
) -> None:
    values = make_values(episodes, steps, noise, seed)
    table = score_table(values, OccupancyEvaluationConfig(resamples=40, confidence=0.999))
    assert (table["low"] <= table["high"]).all() and table[["value", "low", "high"]].notna().all(axis=None)
    alone = score_table(values[values["episode"] == "run_0"], QUICK)
    np.testing.assert_allclose(alone["low"], alone["high"])  # one episode has nothing to be compared with
    np.testing.assert_allclose(alone["low"], alone["value"])
    shuffled = score_table(values.sample(frac=1, random_state=seed), QUICK)
    np.testing.assert_allclose(shuffled["value"], table["value"], atol=1e-12)


def test_states_count_as_often_as_their_episode_is_drawn() -> None:
    """Two episodes with errors 1 and 3: their mean squares are drawn to be 1, 5 or 9."""
    values = make_values(2, 4)
    values["predicted"] = values["returned"] + np.repeat([1.0, 3.0], 4)
    row = score_table(values, OccupancyEvaluationConfig(resamples=200)).set_index("metric").loc["value_error"]
    assert (row["low"], row["value"], row["high"]) == pytest.approx((1, np.sqrt(5), 3))
