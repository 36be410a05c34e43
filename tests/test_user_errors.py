"""Twenty things that users do wrong: they read one paragraph, at most twelve lines of a terminal."""

import errno
import math
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from kedro.framework.startup import bootstrap_project

from tests.helpers.project import ROOT
from tests.helpers.videos import write_video
from vidrep_pipelines.run_command import run

COLUMNS = 80
MOST_LINES = 12


def lines_on_a_console(text: str) -> int:
    """Lines that a terminal of 80 columns shows of a text."""
    return sum(max(1, math.ceil(len(line) / COLUMNS)) for line in text.splitlines())


@pytest.fixture(scope="module", autouse=True)
def project() -> Iterator[None]:
    """The project, set up as the command line does it, once."""
    former = Path.cwd()
    os.chdir(ROOT)
    bootstrap_project(ROOT)
    yield
    os.chdir(former)


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VIDREP_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def run_command(*arguments: str) -> Result:
    return CliRunner().invoke(run, arguments)


def configuration(folder: Path, name: str, text: str) -> str:
    """A copy of the project's configuration with a file of the user's in it."""
    shutil.copytree(ROOT / "conf", folder / "conf")
    (folder / "conf/laptop" / name).write_text(text)
    return str(folder / "conf")


@pytest.mark.usefixtures("data")
@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        pytest.param("--pipelines pretrain_rps", ["'pretrain_rps'", "mean 'pretrain_rsp'"], id="pipeline"),
        pytest.param("--pipelines ingest --env laptp", ["'laptp'", "mean 'laptop'"], id="environment"),
        pytest.param("--params rps.train.steps=3", ["'rps.train.steps'", "rsp.train"], id="block"),
        pytest.param("--params rsp.train.stepz=3", ["rsp.train ", "'stepz'", "mean 'steps'"], id="field"),
        pytest.param(
            "--params rsp.train.steps=many", ["--params: rsp.train.steps", "integer", "'many'"], id="type"
        ),
        pytest.param("--params resize.short_side=-3", ["--params: resize.short_side", "-3"], id="range"),
        pytest.param("--params resize=3", ["resize is a block", "resize.<name>"], id="block as value"),
        pytest.param("--params ingest.root=${DATA}/x", ["ingest.root", "shell"], id="shell variable"),
        pytest.param("--nodes rsp.trian", ["'rsp.trian'", "--nodes", "mean 'rsp.train'"], id="node"),
        pytest.param("--to-outputs clip_tabel", ["--to-outputs", "mean 'clip_table'"], id="dataset"),
        pytest.param("--namespaces rps", ["--namespaces", "mean 'rsp'"], id="namespace"),
        pytest.param("--tags gpuu", ["--tags", "mean 'gpu'"], id="tag"),
        pytest.param("--pipelins ingest", ["'--pipelins'", "'--pipelines'"], id="option"),
        pytest.param("--nodes rsp.train", ["training_spec.json", "Remedy: run the pip"], id="nothing there"),
        pytest.param(
            "--pipelines ingest --params ingest.root=/nowhere",
            ["Error in node ingest.list_videos: ingest.root: there is no folder /nowhere"],
            id="folder",
        ),
        pytest.param(
            "--pipelines ingest_davis --params davis.root=/nowhere,jhmdb.root=/x,vip.root=/x",
            ["Error in node davis.", "/nowhere"],
            id="release",
        ),
        pytest.param(
            "--pipelines eval_reconstruction_original --nodes vqvae_original.open "
            "--params vqvae_original.path=/nowhere.ckpt",
            ["Error in node vqvae_original.open", "/nowhere.ckpt"],
            id="checkpoint",
        ),
    ],
)
def test_a_users_fault_is_one_paragraph(arguments: str, parts: list[str]) -> None:
    result = run_command(*arguments.split())
    assert result.exit_code in (1, 2)
    assert [part for part in parts if part not in result.output] == [], result.output
    assert lines_on_a_console(result.output) <= MOST_LINES
    assert "Traceback" not in result.output and "pydantic" not in result.output


@pytest.mark.usefixtures("data")
@pytest.mark.parametrize(
    ("name", "text", "parts"),
    [
        ("parameters_mine.yml", "rsp: {train: {stepz: 3}}", ["conf/laptop/parameters_mine.yml: rsp.train"]),
        ("parameters_mine.yml", "rsp: {train: {steps: [3}}", ["parameters_mine.yml", "line", "Remedy"]),
        ("catalog_mine.yml", "video_index: {type: no.such.Dataset}", ["video_index", "no.such.Dataset"]),
    ],
    ids=["field", "syntax", "dataset"],
)
def test_a_fault_in_a_file_names_the_file(tmp_path: Path, name: str, text: str, parts: list[str]) -> None:
    result = run_command("--pipelines", "pretrain_rsp", "--conf-source", configuration(tmp_path, name, text))
    assert result.exit_code == 1
    assert [part for part in parts if part not in result.output] == [], result.output
    assert lines_on_a_console(result.output) <= MOST_LINES
    assert "pydantic" not in result.output


@pytest.mark.usefixtures("data")
def test_a_file_that_is_no_checkpoint_is_named(tmp_path: Path) -> None:
    path = tmp_path / "70000.ckpt"
    path.write_text("<html>404</html>")
    where = ["--pipelines", "eval_reconstruction_original", "--nodes", "vqvae_original.open"]
    result = run_command(*where, "--params", f"vqvae_original.path={path}")
    assert result.exit_code == 1 and str(path) in result.output
    assert lines_on_a_console(result.output) <= MOST_LINES


@pytest.mark.usefixtures("data")
def test_a_missing_extra_is_one_paragraph(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "vidrep_pipelines.common.extras.find_spec", lambda module: None if module == "diffusers" else module
    )
    result = run_command("--pipelines", "pretrain_vpp_video")
    assert result.exit_code == 1 and "diffusers is not installed" in result.output
    assert "[vpp]" in result.output and lines_on_a_console(result.output) <= MOST_LINES


@pytest.mark.usefixtures("data")
def test_a_full_disk_is_one_paragraph(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "/data/video_index.parquet")

    write_video(tmp_path / "videos/a class/clip.mp4", 12)
    monkeypatch.setattr("vidrep_pipelines.data.tables.partitioned_table.atomic_directory", full)
    parameters = f"ingest.root={tmp_path / 'videos'},fanout.engine=serial"
    result = run_command("--pipelines", "ingest", "--params", parameters)
    assert result.exit_code == 1 and "/data/video_index.parquet: the disk is full" in result.output
    assert lines_on_a_console(result.output) <= MOST_LINES


def test_an_environment_asks_for_its_variable() -> None:
    result = run_command("--env", "cluster", "--pipelines", "ingest")
    assert result.exit_code == 1
    assert "variable VIDREP_DATA is not set" in result.output
    assert lines_on_a_console(result.output) <= MOST_LINES


@pytest.mark.usefixtures("data")
@pytest.mark.parametrize("how", ["option", "variable"])
def test_the_traceback_is_there_for_who_asks(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = ["--pipelines", "pretrain_rps"]
    if how == "variable":
        monkeypatch.setenv("VIDREP_VERBOSE", "1")
    result = run_command(*arguments, *(["--verbose"] if how == "option" else []))
    assert type(result.exception).__name__ == "ConfigurationError"


def test_all_that_a_console_shows(tmp_path: Path) -> None:
    """In a process of its own: what loggers and hooks say counts, too."""
    command = [sys.executable, "-m", "kedro", "run", "--params", "rsp.train.stepz=3"]
    environment = {**os.environ, "VIDREP_DATA": str(tmp_path)}
    environment.pop("KEDRO_LOGGING_CONFIG", None)  # what runs in this process tell their workers
    ended = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert ended.returncode == 1
    assert (ended.stdout + ended.stderr).splitlines() == [
        "Error: --params: rsp.train has no parameter 'stepz'. Did you mean 'steps'?",
        "Where in the code: add --verbose, or set VIDREP_VERBOSE=1.",
    ]
