"""Predictions of the video model: what is written, what a second run does, and what bad input leads to."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.helpers.notebooks import check_runs
from tests.helpers.project import ROOT, load, merged, run_pipeline
from tests.helpers.vpp_video import TINY_VPP_VIDEO
from vidrep_pipelines.evaluation.video_prediction.tables import CounterfactualTable

pytestmark = pytest.mark.slow

REPORTS = "08_reporting/video_prediction"
TINY: dict[str, Any] = merged(
    TINY_VPP_VIDEO,
    {
        "robot_episodes": {"tabletop": {"table": {"frames": 20}, "test_tables": 2}},
        "video_prediction": {
            "sampling": {"steps": 2},
            "prediction": {"limit": 1},
            "evaluation": {"limit": 2, "noise_levels": 2, "metrics": {"resamples": 20}},
            "counterfactuals": {"tables": 2, "calibration_tables": 1},
        },
    },
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("video_prediction")
    run_pipeline("eval_video_prediction", folder, TINY)
    return folder


def read(data: Path, name: str) -> pd.DataFrame:
    return pd.read_parquet(data / REPORTS / f"{name}.parquet")


def test_tables_stand_beside_floors_for_every_data_set(data: Path) -> None:
    summary = read(data, "summary")
    assert set(summary["robot"]) == {"all", "tabletop", "tabletop_held_out"}
    assert set(summary["predictor"]) == {"model", "without_text", "first_frame", "codec"}
    values = summary.set_index(["robot", "predictor", "metric"])["value"]
    assert values["all", "codec", "psnr_last"] > values["all", "first_frame", "psnr_last"]
    assert values["all", "first_frame", "motion_ratio"] == 0
    assert set(read(data, "horizons")["horizon"]) == {1, 2, 3}
    assert set(read(data, "differences")["against"]) == {"without_text", "first_frame", "codec"}
    metrics = json.loads((data / REPORTS / "metrics.json").read_text())
    assert any("not available: predictions have 4 frames" in line for line in metrics["skipped"])


def test_the_counterfactual_test_knows_the_codecs_ceiling_and_the_copys_floor(data: Path) -> None:
    shares = read(data, "counterfactuals").set_index(["combination", "predictor", "measure"])
    assert shares.loc[("all", "codec", "right_object"), "value"] > 0.9
    copied = shares.loc[("all", "first_frame", "nearest_last")]
    assert copied["value"] <= copied["chance"] + 1e-9
    judged = read(data, "judged")
    assert judged["table"].nunique() == 2 and judged.groupby(["table", "predictor"]).size().min() >= 10


def test_tables_begin_as_their_episodes_are_stored(data: Path) -> None:
    parts, store = load("video_prediction.tables", data), load("robot_frames", data)
    for name in parts.ids:
        table = CounterfactualTable.read(name, parts.path(name))
        trajectory = name.split("/")[1].replace("_0", "/0").replace("tabletop_", "tabletop/")
        (view,) = [view for view in store.ids if view.startswith(trajectory)]
        first = store.frames(view, slice(0, 1))[0]
        np.testing.assert_array_equal(table.truths[0, 0], first)
        told = store.episode(view).segments[0].text
        np.testing.assert_array_equal(table.truths[table.texts.index(told), -1], store.frames(view)[-1])


def test_pictures_show_something(data: Path) -> None:
    for name in ("horizons", "losses", "counterfactuals", "counterfactual_sheet"):
        with Image.open(data / REPORTS / f"{name}.png") as picture:
            low, high = picture.convert("L").getextrema()
        assert high - low > 100, name


def test_the_notebook_runs(data: Path) -> None:
    check_runs(
        ROOT / "notebooks/vpp_video.ipynb",
        data,
        {"predictions", "features", "horizons", "told", "told-chart"},
    )


def test_a_second_run_does_nothing_and_runs_are_put_side_by_side(
    data: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        run_pipeline("eval_video_prediction", data, TINY)
    for line in ("video prediction: up to date", "counterfactual test: up to date", "tables: up to date"):
        assert line in caplog.text
    runs, seeds = load("video_prediction.runs", data), read(data, "seeds")
    assert len(runs) == 1 and set(seeds["runs"]) == {1}
    assert {"all.model.psnr_last", "counterfactual.all.right_object"} <= set(seeds["measure"])


def test_predictions_are_films_and_a_new_instruction_is_followed_by_new_ones(data: Path) -> None:
    run_pipeline("predict_video", data, TINY)
    videos = load("predicted_videos", data)
    assert len(videos.ids) == 1
    film = videos.frames(videos.ids[0], range(4))
    assert film.shape[0] == 4 and film.shape[1] > 2 * 256
    row = read(data, "predictions").iloc[0]
    assert row["text"] == row["own_text"] and row["psnr_last_first_frame"] > 0
    new = {"instructions": "lift the red ball up", "numbers": {"tabletop": "0+1"}}
    run_pipeline("predict_video", data, merged(TINY, {"video_prediction": {"prediction": new}}))
    assert read(data, "predictions")["text"].tolist() == ["lift the red ball up"] * 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"trajectories": ["tabletop/tost/00000"]}, r"Did you mean 'tabletop/test/00000'"),
        ({"instructions": "lift the pink elephant up"}, "no word 'pink'"),
    ],
)
def test_impossible_predictions_are_named(data: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(Exception, match=message):
        run_pipeline("predict_video", data, merged(TINY, {"video_prediction": {"prediction": changes}}))
