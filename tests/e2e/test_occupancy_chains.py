"""``eval_occupancy_chains``: what it writes, and what a second run does."""

import json
import logging
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from tests.helpers.occupancy_chains import TINY_CHAINS
from tests.helpers.project import merged, run_pipeline

REPORTS = "08_reporting/occupancy_chains"
LEARNERS = {"published", "clean_td", "n_step", "geometric"}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("chains")
    run_pipeline("eval_occupancy_chains", folder, TINY_CHAINS)
    return folder


def test_tables_numbers_and_picture(data: Path) -> None:
    scores = pd.read_parquet(data / REPORTS / "scores.parquet")
    assert set(scores["learner"]) == LEARNERS and set(scores["kind"]) == {"one_codeword", "two_codewords"}
    assert len(scores) == 8 and scores["total_variation"].between(0, 1).all()
    curves = pd.read_parquet(data / REPORTS / "curves.parquet")
    last = curves[curves["update"] == 4]
    pd.testing.assert_frame_equal(last.drop(columns="update").reset_index(drop=True), scores, check_like=True)
    metrics = json.loads((data / REPORTS / "eval_metrics.json").read_text())
    summary = pd.read_parquet(data / REPORTS / "summary.parquet").set_index(["kind", "learner"])
    assert metrics["runs_failed"] == []
    for (kind, learner), row in summary.iterrows():
        assert metrics[kind][learner] == pytest.approx(row.to_dict())
    with Image.open(data / REPORTS / "comparison.png") as picture:
        low, high = picture.convert("L").getextrema()
    assert high - low > 100


def test_only_what_changed_is_learned_again(data: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        run_pipeline("eval_occupancy_chains", data, TINY_CHAINS)
    assert "occupancy chains: up to date" in caplog.text
    caplog.clear()
    change = {"occupancy_chains": {"learners": {"n_step": {"steps": 2}}}}
    with caplog.at_level(logging.INFO):
        run_pipeline("eval_occupancy_chains", data, merged(TINY_CHAINS, change))
    assert "8 items, 6 done before, 2 done now" in caplog.text
