import os
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

from vidrep_pipelines.__main__ import main


def run_main(monkeypatch: pytest.MonkeyPatch, project_root: Path, *arguments: str) -> int:
    """Runs the command line in this process; returns its exit code."""
    monkeypatch.chdir(project_root)
    monkeypatch.setattr(sys, "argv", ["vidrep-pipelines", *arguments])
    with pytest.raises(SystemExit) as caught:
        main()
    return int(caught.value.code or 0)


def test_help_describes_kedro_run(
    monkeypatch: pytest.MonkeyPatch, project_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_main(monkeypatch, project_root, "--help") == 0
    text = capsys.readouterr().out
    assert "Run the pipeline." in text and "--pipelines" in text and "--params" in text


def test_unknown_option_is_refused(
    monkeypatch: pytest.MonkeyPatch, project_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_main(monkeypatch, project_root, "--pipelins", "ingest") == 2
    assert "--pipelines" in capsys.readouterr().err


def test_installed_command_is_this_function(project_root: Path) -> None:
    scripts = tomllib.loads((project_root / "pyproject.toml").read_text())["project"]["scripts"]
    module, _, function = scripts["vidrep-pipelines"].partition(":")
    assert getattr(import_module(module), function) is main


def test_module_runs_a_pipeline_of_this_project(project_root: Path, tmp_path: Path) -> None:
    """Without videos the run stops in the first node that needs one, in a message of ours."""
    command = [sys.executable, "-m", "vidrep_pipelines", "--pipelines", "ingest"]
    command += ["--params", f"ingest.root={tmp_path / 'nowhere'}"]
    environment = {**os.environ, "VIDREP_DATA": str(tmp_path / "data"), "COLUMNS": "300"}
    run = subprocess.run(
        command, cwd=project_root, env=environment, capture_output=True, text=True, check=False
    )
    assert run.returncode == 1
    assert "ingest.root: there is no folder" in run.stdout + run.stderr
    assert (tmp_path / "data" / "01_raw").is_dir()
