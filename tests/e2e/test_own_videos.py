"""``docs/own_videos.md`` as somebody follows it: the page's own commands, on a folder of videos."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.helpers.evaluation import TINY_EVALUATION
from tests.helpers.project import ROOT, flat_parameters
from tests.helpers.videos import truncate, write_video

pytestmark = pytest.mark.slow

PAGE = ROOT / "docs/own_videos.md"
COMMAND = re.compile(r"^VIDREP_VIDEOS=/path/to/videos VIDREP_DATA=my_data kedro (run --pipelines \w+)$", re.M)
STEPS = ["prepare_clips", "pretrain_rsp", "eval_davis"]
# What makes it seconds, as --params takes it: no lists.
TINY = [line for line in flat_parameters(TINY_EVALUATION) if not line.endswith("]")]


def test_the_page_has_these_commands() -> None:
    assert [command.split()[-1] for command in COMMAND.findall(PAGE.read_text())] == STEPS


def follow(command: str, videos: Path, data: Path) -> str:
    """What the console shows of a command of the page, at tiny size."""
    surroundings: dict[str, Any] = {**os.environ, "VIDREP_VIDEOS": str(videos), "VIDREP_DATA": str(data)}
    ended = subprocess.run(
        [sys.executable, "-m", "kedro", *command.split(), "--params", ",".join(TINY)],
        cwd=ROOT,
        env=surroundings,
        capture_output=True,
        text=True,
        check=False,
        timeout=1200,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout + ended.stderr


def test_from_a_folder_of_videos_to_the_report(tmp_path: Path) -> None:
    videos, data = tmp_path / "videos", tmp_path / "my_data"
    for number in range(4):
        name = "pour" if number % 2 else "wave"
        write_video(videos / name / f"clip {number}.mp4", 55, width=96, height=72)
    truncate(write_video(videos / "wave" / "damaged.mp4", 55, width=96, height=72), 0.3)
    prepare, train, measure = COMMAND.findall(PAGE.read_text())

    follow(prepare, videos, data)
    reports = data / "08_reporting"
    assert (reports / "contact_sheet.png").is_file() and (reports / "label_filter/report.json").is_file()
    dropped = pd.read_parquet(reports / "label_filter/dropped_clips.parquet")
    assert dropped["id"].str.contains("damaged").tolist() == [True]

    follow(train, videos, data)
    assert {"loss_curves.png", "predictions.png"} <= {path.name for path in (reports / "rsp").iterdir()}
    trained = (data / "06_models/rsp/checkpoint/model.safetensors").stat().st_mtime_ns

    console = follow(measure, videos, data)
    assert (data / "06_models/rsp/checkpoint/model.safetensors").stat().st_mtime_ns == trained  # not twice
    assert json.loads((reports / "rsp/train_metrics.json").read_text())["status"] == "up to date"
    assert "DAVIS-2017 itself is not configured" in console
    for encoder in ("rsp", "random", "pixels"):
        assert re.search(rf"^ *{encoder} +\d+(\.\d+)?  \[", console, re.MULTILINE), console
    page = (reports / "report.html").read_text()
    assert "report.html" in console and "J&amp;F-Mean" in page and "rsp" in page
