"""``kedro run --pipelines eval_probe_standalone``: what it writes, and what a second run does."""

import json
import logging
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from tests.helpers.evaluation import TINY_EVALUATION
from tests.helpers.project import load, merged, run_pipeline

ENCODERS = ["random", "pixels"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data folder after the evaluation."""
    data = tmp_path_factory.mktemp("probe")
    run_pipeline("eval_probe_standalone", data, TINY_EVALUATION)
    return data


def test_every_head_of_every_encoder_is_reported_with_an_interval(finished: Path) -> None:
    summary = pd.read_parquet(finished / "08_reporting/probe/summary.parquet")
    for head in ("knn", "linear", "attentive"):
        rows = summary[summary["measure"] == f"{head} top-1"]
        assert rows["encoder"].tolist() == [*ENCODERS, "chance"]
        assert (rows["low"] <= rows["value"]).all() and (rows["value"] <= rows["high"]).all()
        assert (summary["clips"] == 12).all()
        assert f"{head} top-5" in set(summary["measure"])
    metrics = json.loads((finished / "08_reporting/probe/eval_metrics.json").read_text())
    assert (metrics["classes"], metrics["training_clips"], metrics["clips_left_out"]) == (6, 12, 0)
    assert set(metrics["settings"]) == {f"{e}/{h}" for e in ENCODERS for h in ("knn", "linear", "attentive")}


def test_pictures_show_something(finished: Path) -> None:
    for name in ("bars.png", "confusion.png"):
        with Image.open(finished / "08_reporting/probe" / name) as image:
            low, high = image.convert("L").getextrema()
            assert min(image.size) > 200 and high - low > 100


def test_another_head_extracts_nothing_again(finished: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        run_pipeline("eval_probe_standalone", finished, TINY_EVALUATION)
        assert "clip features: up to date (48 items)" in caplog.text
        assert "clip probes: up to date (6 items)" in caplog.text
        caplog.clear()
        changed = merged(TINY_EVALUATION, {"eval_probe": {"attentive": {"epochs": 1}}})
        run_pipeline("eval_probe_standalone", finished, changed)
        assert "clip features: up to date (48 items)" in caplog.text
        assert "clip probes: up to date" not in caplog.text
    assert sorted(load("probe.answers", finished).ids) == sorted(
        f"{encoder}/{head}" for encoder in ENCODERS for head in ("attentive", "knn", "linear")
    )
