import numpy as np
import pandas as pd
import pytest
from PIL.Image import Image

from tests.evaluation.occupancy.test_scores import make_values
from vidrep_pipelines.evaluation.occupancy.config import OccupancyEvaluationConfig
from vidrep_pipelines.evaluation.occupancy.scores import score_table
from vidrep_pipelines.reporting.occupancy import (
    calibration_chart,
    occupancy_comparison,
    score_text,
    value_scatter,
    values_along_episodes,
)


@pytest.fixture(scope="module")
def values() -> pd.DataFrame:
    return make_values(noise=0.3)


@pytest.fixture(scope="module")
def scores(values: pd.DataFrame) -> pd.DataFrame:
    return score_table(values, OccupancyEvaluationConfig(resamples=20)).assign(model="vae")


def colors(image: Image) -> int:
    return len(np.unique(np.asarray(image).reshape(-1, 3), axis=0))


def test_charts_change_with_the_values(values: pd.DataFrame, scores: pd.DataFrame) -> None:
    other = values.assign(
        predicted=values["predicted"] + 1, calibration_share=values["calibration_share"] ** 3
    )
    for draw in (value_scatter, calibration_chart):
        images = [draw(frame, scores) for frame in (values, other)]
        assert images[0].tobytes() != images[1].tobytes() and colors(images[0]) > 20
    along = [values_along_episodes(frame) for frame in (values, other)]
    assert along[0].tobytes() != along[1].tobytes()


@pytest.mark.parametrize("episodes", [1, 2, 9])
def test_any_number_of_episodes_is_drawn(episodes: int) -> None:
    assert colors(values_along_episodes(make_values(episodes, 4))) > 20


def test_table_and_chart_of_several_models(scores: pd.DataFrame) -> None:
    worse = score_table(make_values(noise=2), OccupancyEvaluationConfig(resamples=20)).assign(model="dino")
    both = pd.concat([scores, worse], ignore_index=True)
    lines = score_text(both).splitlines()
    assert lines[0].split() == ["model", "vae", "dino"]
    (error,) = (line for line in lines if line.startswith("value_error "))
    assert f"{worse['value'].iloc[0]:.4g} [" in error and f"{scores['value'].iloc[0]:.4g} [" in error
    charts = [occupancy_comparison(table) for table in (both, scores)]
    assert charts[0].tobytes() != charts[1].tobytes() and colors(charts[0]) > 20
