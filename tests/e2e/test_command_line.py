"""The command line as users type it."""

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from tests.helpers import videos
from tests.helpers.project import ROOT


def kedro(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "kedro", *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("option", "pipeline", "product"),
    [
        ("--pipeline", "ingest", "02_intermediate/video_index.parquet"),
        ("--pipelines", "prepare_clips", "03_primary/resized_videos/a class/clip.mp4"),
    ],
)
def test_both_spellings_and_the_environment_variable(
    option: str, pipeline: str, product: str, tmp_path: Path
) -> None:
    videos.write_video(tmp_path / "videos" / "a class" / "clip.mp4", 12)
    run = kedro(
        "run",
        option,
        pipeline,
        VIDREP_DATA=str(tmp_path / "data"),
        VIDREP_VIDEOS=str(tmp_path / "videos"),
    )
    assert run.returncode == 0, run.stderr
    assert (tmp_path / "data" / product).exists()
    index = pd.read_parquet(tmp_path / "data/02_intermediate/video_index.parquet")
    assert [Path(path).name for path in index["path"]] == ["clip.mp4"]
    assert (tmp_path / "data/03_primary").exists() == (pipeline == "prepare_clips")


def test_cluster_environment_asks_for_its_data_root(tmp_path: Path) -> None:
    run = kedro("run", "--env", "cluster", "--pipelines", "ingest")
    assert run.returncode != 0
    assert "VIDREP_DATA" in run.stdout + run.stderr


def test_unknown_pipeline_is_named() -> None:
    run = kedro("run", "--pipelines", "pretrain_rps")
    assert run.returncode != 0
    assert "pretrain_rsp" in run.stdout + run.stderr
