import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.evaluation.video_prediction.test_counterfactual import MOVED, TABLES
from tests.helpers.video_prediction import TruthOf, predicting
from vidrep_pipelines.evaluation.reconstruction.config import ReconstructionEvaluationConfig
from vidrep_pipelines.evaluation.video_prediction.counterfactual_scores import (
    counterfactual_summary,
    judge_tables,
    wilson_interval,
)

CONFIG = ReconstructionEvaluationConfig(resamples=50)


@pytest.fixture(scope="module")
def judged() -> pd.DataFrame:
    return judge_tables(TABLES, predicting(TruthOf(TABLES)), MOVED, (0, 1), batch_size=4)


def test_shares_stand_beside_chance_for_every_kind_of_combination(judged: pd.DataFrame) -> None:
    table = counterfactual_summary(judged, CONFIG).set_index(["combination", "predictor", "measure"])
    row = table.loc[("all", "model", "nearest_last")]
    counts = np.array([len(table.texts) for table in TABLES])
    assert row["value"] == 1 and row["tables"] == 2 and row["instructions"] == 2 * counts.sum()
    assert row["chance"] == pytest.approx(2 / counts.sum())
    assert row["above_chance"] == pytest.approx(1 - row["chance"])
    assert row["low"] == row["high"] == 1 and row["wilson_low"] < 0.5 and row["wilson_high"] == 1
    assert table.loc[("held_out", "model", "right_object"), "value"] == 1
    assert table.loc[("all", "without_text", "nearest_last"), "value"] <= row["chance"] + 1e-9
    assert table.loc[("all", "codec", "nearest_last"), "value"] == 1


@given(st.integers(1, 500), st.floats(0, 1))
def test_wilson_holds_the_share(count: int, share: float) -> None:
    low, high = wilson_interval(share, count, 0.95)
    assert 0 <= low <= share + 1e-12 and share - 1e-12 <= high <= 1


def test_wilson_of_ten_out_of_ten() -> None:
    low, high = wilson_interval(1.0, 10, 0.95)
    assert low == pytest.approx(0.7225, abs=1e-4) and high == 1
