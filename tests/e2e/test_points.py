"""``kedro run --pipelines eval_points_standalone``: what it writes, and what a second run does."""

import json
import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.helpers.evaluation import TINY_EVALUATION
from tests.helpers.project import load, merged, run_pipeline

ENCODERS = ["random", "pixels", "still"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data folder after the evaluation."""
    data = tmp_path_factory.mktemp("points")
    run_pipeline("eval_points_standalone", data, TINY_EVALUATION)
    return data


def test_every_encoder_is_reported_with_an_interval(finished: Path) -> None:
    summary = pd.read_parquet(finished / "08_reporting/points/summary.parquet")
    for mode in ("first", "strided"):
        for measure in ("average Jaccard", "average delta", "occlusion accuracy"):
            rows = summary[summary["measure"] == f"{measure}, {mode} queries"]
            assert rows["encoder"].tolist() == ENCODERS
            assert (rows["low"] <= rows["value"]).all() and (rows["value"] <= rows["high"]).all()
            assert rows["value"].between(1, 100).all()
    metrics = json.loads((finished / "08_reporting/points/eval_metrics.json").read_text())
    assert (metrics["sequences"], list(metrics["encoders"])) == (2, ENCODERS)


def test_found_tracks_begin_where_the_points_are(finished: Path) -> None:
    videos = load("points.videos", finished)
    tracks = load("points.tracks", finished)
    assert sorted(tracks.ids) == sorted(f"{name}/{video}" for name in ENCODERS[:2] for video in videos["id"])
    assert (tracks.table["rows"] * 8 == 48).all() and (tracks.table["columns"] * 8 == 64).all()


def test_pictures_and_films_show_something(finished: Path) -> None:
    folder = finished / "08_reporting/points"
    for name in ("bars.png", "sheet.png"):
        with Image.open(folder / name) as image:
            low, high = image.convert("L").getextrema()
            assert min(image.size) > 200 and high - low > 100
    frames = load("points.best_film", finished)
    assert frames.shape[0] == 16
    assert np.std(frames) > 10


def test_second_run_does_nothing_and_another_rule_of_visibility_follows_nothing_anew(
    finished: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        run_pipeline("eval_points_standalone", finished, TINY_EVALUATION)
        assert "points tracking: up to date (4 items)" in caplog.text
        assert "points scores: up to date (6 items)" in caplog.text
        caplog.clear()
        changed = merged(TINY_EVALUATION, {"eval_points": {"visible_above": 0.2}})
        run_pipeline("eval_points_standalone", finished, changed)
        assert "points tracking: up to date (4 items)" in caplog.text
        assert "points scores: up to date" not in caplog.text
    metrics = json.loads((finished / "08_reporting/points/eval_metrics.json").read_text())
    assert set(metrics["visible_above"]["first"].values()) == {0.2}
