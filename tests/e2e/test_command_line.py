"""The command line as users type it."""

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner, Result
from kedro.framework.cli.project import run as kedro_run

from tests.helpers import videos
from tests.helpers.project import ROOT, bootstrap


def run_here(patch: pytest.MonkeyPatch, *arguments: str) -> Result:
    """``kedro run`` with these arguments, in this process."""
    patch.chdir(ROOT)
    bootstrap()
    return CliRunner().invoke(kedro_run, arguments)


def listed_clips(data: Path) -> list[str]:
    index = pd.read_parquet(data / "02_intermediate/video_index.parquet")
    return [Path(path).name for path in index["path"]]


def test_a_command_prepares_the_clips_that_environment_variables_name(tmp_path: Path) -> None:
    videos.write_video(tmp_path / "videos" / "a class" / "clip.mp4", 12)
    data = tmp_path / "data"
    run = subprocess.run(
        [sys.executable, "-m", "kedro", "run", "--pipelines", "prepare_clips"],
        cwd=ROOT,
        env={**os.environ, "VIDREP_DATA": str(data), "VIDREP_VIDEOS": str(tmp_path / "videos")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert listed_clips(data) == ["clip.mp4"]
    assert (data / "03_primary/resized_videos/a class/clip.mp4").is_file()


def test_the_other_spelling_does_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    videos.write_video(tmp_path / "videos" / "a class" / "clip.mp4", 12)
    monkeypatch.setenv("VIDREP_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("VIDREP_VIDEOS", str(tmp_path / "videos"))
    run = run_here(monkeypatch, "--pipeline", "ingest", "--params", "fanout.engine=serial")
    assert run.exit_code == 0, run.exception
    assert listed_clips(tmp_path / "data") == ["clip.mp4"]
    assert not (tmp_path / "data/03_primary").exists()


def test_cluster_environment_asks_for_its_data_root(monkeypatch: pytest.MonkeyPatch) -> None:
    run = run_here(monkeypatch, "--env", "cluster", "--pipelines", "ingest")
    assert run.exit_code != 0
    assert "VIDREP_DATA" in str(run.exception)


def test_unknown_pipeline_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    run = run_here(monkeypatch, "--pipelines", "pretrain_rps")
    assert run.exit_code != 0
    assert "pretrain_rsp" in str(run.exception)
