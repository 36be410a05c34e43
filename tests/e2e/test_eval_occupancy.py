"""The evaluation of occupancy models: what it writes, what a second run does, and what bad input leads to."""

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.helpers.notebooks import check_runs
from tests.helpers.occupancy import TINY_OCCUPANCY
from tests.helpers.project import ROOT, merged, run_pipeline
from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.datasets.video_file import VideoFile

KINDS = ("vae", "dino", "musik")
EVALUATION = {"from_nodes": ["voc_vae.measure_occupancy", "voc_vae.draw_futures"]}
"""Only the nodes of the evaluation, on what is there."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data folder after the evaluation of one kind."""
    folder = tmp_path_factory.mktemp("occupancy")
    run_pipeline("eval_occupancy_vae", folder, TINY_OCCUPANCY)
    return folder


def reports(data: Path, kind: str = "vae") -> Path:
    return data / f"08_reporting/voc_{kind}/occupancy"


def contrast(path: Path) -> float:
    """Deviation of a picture's gray levels: 0 if nothing is drawn."""
    with Image.open(path) as image:
        return float(np.asarray(image.convert("L")).std())


def check_reports(data: Path, kind: str) -> None:
    """Whether all reports of a kind are there, are of held-out episodes and agree with one another."""
    values = pd.read_parquet(reports(data, kind) / "values.parquet")
    held_out = set(FrameStore(data / "05_model_input/dmc_frames").select("test").ids)
    assert set(values["episode"]) == held_out and len(values) == 12
    scores = pd.read_parquet(reports(data, kind) / "scores.parquet")
    assert set(scores["model"]) == {kind}
    error = float(np.sqrt(((values["predicted"] - values["returned"]) ** 2).mean()))
    assert scores.set_index("metric").loc["value_error", "value"] == pytest.approx(error)
    metrics = json.loads((reports(data, kind) / "metrics.json").read_text())
    assert metrics["value_error"] == pytest.approx(error)
    assert metrics["published_truth_share"] == pytest.approx(0.75)  # gamma 0.5 cut after two steps
    meta = json.loads((data / f"06_models/voc_{kind}/checkpoint/meta.json").read_text())
    assert metrics["run"] == meta["digest"]
    for name in ("values", "episodes", "calibration", "futures"):
        assert contrast(reports(data, kind) / f"{name}.png") > 10, name
    film = VideoFile(filepath=reports(data, kind) / "futures.mp4").load()
    assert len(film) == 2 * 2 + 1 and film.std() > 10


def test_a_kind_is_measured_on_held_out_episodes(data: Path) -> None:
    check_reports(data, "vae")


def test_a_second_run_measures_nothing(data: Path, caplog: pytest.LogCaptureFixture) -> None:
    before = (reports(data) / "scores.parquet").read_bytes()
    with caplog.at_level(logging.INFO):
        run_pipeline("eval_occupancy_vae", data, TINY_OCCUPANCY, **EVALUATION)
    assert "occupancy: up to date (12 states)" in caplog.text
    assert (reports(data) / "scores.parquet").read_bytes() == before


@pytest.mark.slow
def test_the_notebook_runs(data: Path) -> None:
    check_runs(
        ROOT / "notebooks/voc.ipynb",
        data,
        {"tokens", "decoded", "futures", "values-picture", "scatter", "measured-futures"},
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"occupancy": {"split": "rehearsal"}}, r"'rehearsal'.*another occupancy\.split"),
        ({"occupancy": {"left_out": 1e-9}}, r"No episode has 30 steps.*raise occupancy\.left_out"),
        ({"occupancy_futures": {"jumps": 99}}, r"Futures of 198 steps.*lower occupancy_futures\.jumps"),
    ],
)
def test_impossible_parameters_are_named(changes: dict[str, Any], message: str, data: Path) -> None:
    with pytest.raises(Exception, match=message):
        run_pipeline("eval_occupancy_vae", data, merged(TINY_OCCUPANCY, changes), **EVALUATION)


@pytest.mark.slow
def test_the_kinds_stand_side_by_side(data: Path) -> None:
    run_pipeline("eval_occupancy", data, TINY_OCCUPANCY)
    for kind in KINDS:
        check_reports(data, kind)
    table = pd.read_parquet(data / "08_reporting/voc/occupancy_comparison.parquet")
    assert list(table["model"].unique()) == list(KINDS)
    assert table.groupby("model").size().nunique() == 1
    assert contrast(data / "08_reporting/voc/occupancy_comparison.png") > 10
