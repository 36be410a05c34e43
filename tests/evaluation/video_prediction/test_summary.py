import numpy as np
import pandas as pd
import pytest

from tests.evaluation.video_prediction.test_measurement import CONFIG, measured
from vidrep_pipelines.evaluation.video_prediction.measurement import VideoMeasures
from vidrep_pipelines.evaluation.video_prediction.summary import (
    bootstrapped,
    difference_table,
    horizon_table,
    loss_table,
    ratio_of_sums,
    summary_table,
)


@pytest.fixture(scope="module")
def perfect() -> VideoMeasures:
    return measured(perfect=True)


def test_horizons_have_intervals_for_each_data_set(perfect: VideoMeasures) -> None:
    table = horizon_table(perfect.values, CONFIG.metrics)
    assert len(table) == 3 * 4 * 2 * 2  # data sets and all, predictors, horizons, metrics
    row = table.set_index(["robot", "predictor", "metric", "horizon"]).loc[("x", "first_frame", "psnr", 2)]
    assert row["low"] <= row["value"] <= row["high"] and row["episodes"] == 4


def test_the_summary_has_floors_ceiling_motion_and_loss(perfect: VideoMeasures) -> None:
    table = summary_table(perfect, CONFIG.metrics)
    values = table.set_index(["robot", "predictor", "metric"])["value"]
    assert values["all", "model", "motion_ratio"] == pytest.approx(1)
    assert values["all", "first_frame", "motion_ratio"] == 0
    assert values["y", "model", "loss"] == 1.75 and values["y", "without_text", "loss"] == 2
    assert ("all", "codec", "loss") not in values.index
    assert values["all", "model", "psnr_last"] > values["all", "first_frame", "psnr_last"]


def test_differences_are_paired(perfect: VideoMeasures) -> None:
    table = difference_table(perfect, CONFIG.metrics).set_index(["robot", "metric", "against"])
    above = table.loc[("all", "psnr_last", "first_frame")]
    assert 0 < above["low"] <= above["value"] <= above["high"]
    assert table.loc[("all", "psnr_last", "codec"), ["value", "low", "high"]].tolist() == [0, 0, 0]
    assert table.loc[("all", "loss", "without_text"), "value"] == -0.25


def test_losses_by_noise(perfect: VideoMeasures) -> None:
    table = loss_table(perfect.losses, CONFIG.metrics)
    assert len(table) == 3 * 2 * 2
    assert table.query("robot == 'all' and predictor == 'model'")["value"].tolist() == [0.5, 3.0]


def test_a_single_trajectory_has_no_interval() -> None:
    cell = bootstrapped(1, ratio_of_sums(np.array([1.0]), np.array([2.0])), CONFIG.metrics)
    assert cell["value"] == 0.5 and np.isnan([cell["low"], cell["high"]]).all()


def test_one_data_set_is_not_listed_twice(perfect: VideoMeasures) -> None:
    values: pd.DataFrame = perfect.values.assign(robot="x")
    assert set(horizon_table(values, CONFIG.metrics)["robot"]) == {"all"}
