import numpy as np
import pandas as pd
import pytest

from tests.evaluation.video_prediction.test_counterfactual import MOVED, tables
from tests.helpers.video_prediction import TruthOf, predicting
from vidrep_pipelines.evaluation.reconstruction.config import ReconstructionEvaluationConfig
from vidrep_pipelines.evaluation.video_prediction.counterfactual_scores import (
    counterfactual_summary,
    judge_tables,
)

CONFIG = ReconstructionEvaluationConfig(resamples=50)


@pytest.fixture(scope="module")
def judged() -> pd.DataFrame:
    return judge_tables(tables(), predicting(TruthOf(tables())), MOVED, (0, 1), batch_size=4)


def test_shares_stand_beside_chance_for_every_kind_of_combination(judged: pd.DataFrame) -> None:
    table = counterfactual_summary(judged, CONFIG).set_index(["combination", "predictor", "measure"])
    row = table.loc[("all", "model", "nearest_last")]
    counts = np.array([len(table.texts) for table in tables()])
    assert row["value"] == 1 and row["tables"] == 2 and row["instructions"] == 2 * counts.sum()
    assert row["chance"] == pytest.approx(2 / counts.sum())
    assert row["above_chance"] == pytest.approx(1 - row["chance"])
    assert row["low"] == row["high"] == 1 and row["wilson_low"] < 0.5 and row["wilson_high"] == 1
    assert table.loc[("held_out", "model", "right_object"), "value"] == 1
    assert table.loc[("all", "without_text", "nearest_last"), "value"] <= row["chance"] + 1e-9
    assert table.loc[("all", "codec", "nearest_last"), "value"] == 1
