"""The evaluation of frame embeddings, from clips of the sample world to tables and pictures."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.helpers.carl import TINY_CARL
from tests.helpers.notebooks import check_runs
from tests.helpers.project import ROOT, load, merged, run_pipeline

WORLD = {"clips": 8, "width": 64, "height": 48, "frames_min": 18, "frames_max": 30}
RELEASE = {"frames": {"height": 32, "width": 32}, "world": WORLD, "world_validation": 0.5}
TINY: dict[str, Any] = merged(
    TINY_CARL,
    {
        "pouring": RELEASE,
        "finegym": {**RELEASE, "world": {**WORLD, "activities": ["pour", "wave"]}},
        "carl": {"validation": {"every_steps": 2, "evaluate": True}},
        "carl_finegym": TINY_CARL["carl"],
        "phases_pouring": {"stride": 2, "resamples": 100, "shown": {"film_frames": 10}},
        "phases_finegym": {"resamples": 100, "probe": {"epochs": 5, "videos_per_batch": 2}},
    },
)
PHASES = "08_reporting/carl/phases"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Data folder after the evaluation."""
    folder = tmp_path_factory.mktemp("phases")
    run_pipeline("eval_phases", folder, TINY)
    return folder


def check_picture(path: Path) -> None:
    with Image.open(path) as image:
        low, high = image.convert("L").getextrema()
    assert high - low > 100, path  # something is drawn


def test_tables_and_numbers(data: Path) -> None:
    summary = pd.read_parquet(data / PHASES / "summary.parquet")
    assert set(summary["encoder"]) == {"trained", "untrained", "pixels", "clock", "chance"}
    assert {"phase_classification_10", "phase_progression_100", "kendall_tau", "retrieval_at_15"} <= set(
        summary["measure"]
    )
    metrics = json.loads((data / PHASES / "metrics.json").read_text())
    rows = summary[summary["encoder"] == "trained"].set_index("measure")["value"]
    assert metrics["phase_classification_100"] == pytest.approx(rows["phase_classification_100"])
    assert 0 <= metrics["retrieval_at_5"] <= 1
    assert metrics["clock"]["kendall_tau"] > 0.8
    assert metrics["inserted_pause_drop"] == pytest.approx(
        metrics["phase_classification_100"] - metrics["inserted_pause_phases"]
    )
    assert load("carl.paused_embeddings", data).ids[0].startswith("trained/validation/pour_")
    per_action = pd.read_parquet(data / PHASES / "per_action.parquet")
    assert per_action["action"].unique().tolist() == ["pour"]
    assert (per_action.loc[per_action["measure"] == "kendall_tau", "videos"] == 4).all()
    left_out = pd.read_parquet(data / PHASES / "left_out.parquet")
    assert left_out.columns.tolist() == ["task", "encoder", "action", "item", "reason"]


@pytest.mark.slow
def test_the_notebook_runs(data: Path) -> None:
    check_runs(
        ROOT / "notebooks/carl.ipynb",
        data,
        {"pairs", "path", "bars", "alignment", "retrieval", "similarity", "views"},
    )


def test_pictures_and_film(data: Path) -> None:
    for name in ("bars", "alignment_strip", "retrieval", "similarity", "trajectories"):
        check_picture(data / PHASES / f"{name}.png")
    film = load("carl.phases_alignment", data)
    lengths = load("pouring_labelled_videos", data).select("validation").table["frames"]
    stride = -(-lengths.max() // 10)
    assert len(film) == -(-lengths.max() // stride)
    assert np.abs(film[0].astype(int) - film[-1].astype(int)).mean() > 1


def test_held_out_videos_are_measured_while_training_as_afterwards(data: Path) -> None:
    log = pd.read_parquet(data / "08_reporting/carl/train_log.parquet")
    measured = log.dropna(subset=["probe/loss"])
    assert list(measured["step"]) == [2, 4]
    summary = pd.read_parquet(data / PHASES / "summary.parquet")
    values = summary[summary["encoder"] == "trained"].set_index("measure")["value"]
    for name in ("phase_classification_100", "kendall_tau", "retrieval_at_5"):
        assert measured.iloc[-1][f"probe/{name}"] == pytest.approx(values[name], abs=1e-6), name


def test_second_run_measures_nothing(data: Path, caplog: pytest.LogCaptureFixture) -> None:
    before = (data / PHASES / "summary.parquet").read_bytes()
    with caplog.at_level(logging.INFO):
        run_pipeline("eval_phases", data, TINY)
    assert "phases: up to date" in caplog.text
    assert caplog.text.count("embeddings: up to date (8 items)") == 2
    assert (data / PHASES / "summary.parquet").read_bytes() == before


def test_a_checkpoint_of_the_original_code_is_measured_without_training(data: Path) -> None:
    """Exported and read again, the model embeds as it did before; what it learned on is not needed."""
    run_pipeline("export_carl", data, TINY, to_nodes=["carl.export"])
    path = data / "07_model_output/carl/original_checkpoint.pth"
    checkpoint = {"path": str(path), "image_size": 32, "heads": 2, "evaluation_crop": "resize"}
    original = {"carl_original": {"checkpoint": checkpoint, "embedding": TINY["carl"]["embedding"]}}
    run_pipeline("eval_phases_original", data, merged(TINY, original))
    ours, read, floor = (
        load(name, data)
        for name in ("carl.embeddings", "carl_original.embeddings", "carl_original.untrained_embeddings")
    )
    assert ours.ids == read.ids
    for video in ours.ids:
        np.testing.assert_allclose(read.of(video), ours.of(video), atol=1e-5)
    assert np.abs(floor.of(video) - read.of(video)).max() > 0.01
    summary = load("carl_original.phases_summary", data)
    assert set(summary["encoder"]) == {"trained", "untrained", "pixels", "clock", "chance"}
    with pytest.raises(Exception, match=r"carl_original\.checkpoint\.path names no checkpoint.*VIDREP_CARL"):
        run_pipeline("eval_phases_original", data, TINY)


@pytest.mark.slow
def test_finegym_is_probed(tmp_path: Path) -> None:
    run_pipeline("eval_phases_finegym", tmp_path, TINY)
    summary = load("carl_finegym.phases_summary", tmp_path)
    assert {"linear_probe_10", "linear_probe_100", "action_classification"} <= set(summary["measure"])
    assert set(load("carl_finegym.phases_per_action", tmp_path)["action"]) == {"pour", "wave"}
    check_picture(tmp_path / "08_reporting/carl_finegym/phases/bars.png")


def test_unknown_tasks_are_refused_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="kendall_tau"):
        run_pipeline("eval_phases", tmp_path, merged(TINY, {"phases_pouring": {"tasks": ["kendalls_tau"]}}))
    assert not (tmp_path / "01_raw").exists()
