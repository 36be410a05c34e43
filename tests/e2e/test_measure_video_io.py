"""``measure_video_io`` on clips among which some are damaged, and the notebook about it."""

import json
import logging
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from PIL import Image

from tests.helpers import videos
from tests.helpers.notebooks import check_committed, executed, file_times, pictures, printed
from tests.helpers.project import ROOT, TINY, load, merged, run_pipeline

NOTEBOOK = ROOT / "notebooks/keyframes_and_random_access.ipynb"
PICTURES = {"sizes", "decoding", "picture", "time"}


def measure(data: Path, root: Path, **parameters: Any) -> None:
    own = {"ingest": {"root": str(root)}, "measure_video_io": {"clips": 9, "pairs": 3, **parameters}}
    run_pipeline("measure_video_io", data, merged(TINY, own))


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    for number in range(3):
        videos.write_video(folder / f"clip {number}.mp4", 60, seed=number)
    damaged = videos.write_video(folder / "torn.mp4", 60)
    videos.flip_bytes(damaged, 0.0, 400)
    (folder / "empty.mp4").touch()
    return folder


@pytest.fixture(scope="module")
def measured(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data folder after the pipeline. Not to be written to."""
    data = tmp_path_factory.mktemp("measured")
    measure(data, root)
    return data


def test_every_encoding_is_measured(measured: Path) -> None:
    summary = load("measure_video_io.encodings", measured)
    assert summary["encoding"].iloc[0] == "published"
    assert {"published", "small", "train", "g250", "g30", "g4", "intra"} <= set(summary["encoding"])
    numbers = summary.select_dtypes("number").drop(columns=["b_frames", "decord_ms"])
    assert (numbers > 0).all(axis=None)
    intra = summary.set_index("encoding").loc["intra"]
    assert intra["decoded_frames"] == 2
    assert intra["relative_bytes"] == summary["relative_bytes"].max()


def test_damaged_clips_are_left_out_with_a_reason(measured: Path) -> None:
    report = json.loads((measured / "08_reporting/measure_video_io/report.json").read_text())
    assert report["clips"] == ["clip 0", "clip 1", "clip 2"]
    assert set(report["left_out"]) <= {"torn"}  # the empty one cannot be opened and is not even chosen
    assert len(report["encodings"]) == len(load("measure_video_io.encodings", measured))


def test_the_picture_shows_something(measured: Path) -> None:
    with Image.open(measured / "08_reporting/measure_video_io/picture.png") as picture:
        low, high = picture.convert("L").getextrema()
        assert high - low > 100 and picture.width > 800


def test_encodings_are_not_made_again(measured: Path, root: Path, caplog: pytest.LogCaptureFixture) -> None:
    before = {path: time for path, time in file_times(measured).items() if path.suffix == ".mp4"}
    with caplog.at_level(logging.INFO):
        measure(measured, root, pairs=2)
    assert "encodings: up to date" in caplog.text
    assert {path: path.stat().st_mtime_ns for path in before} == before
    times = pd.read_parquet(measured / "08_reporting/measure_video_io/access_times.parquet")
    assert times.groupby(["clip", "encoding", "reader", "access"]).size().xs("pair", level=3).eq(2).all()


def test_notebook_is_committed_without_outputs() -> None:
    check_committed(NOTEBOOK)


def test_notebook_runs_and_shows_what_it_should(measured: Path) -> None:
    before = file_times(measured)
    cells = executed(NOTEBOOK, measured)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert {cell.id for cell in cells if pictures(cell)} == PICTURES
    for picture in (picture for cell in cells for picture in pictures(cell)):
        low, high = picture.convert("L").getextrema()
        assert high - low > 100
    assert "3 clips of 60 frames" in printed(cells)
    assert file_times(measured) == before  # the notebook only reads
