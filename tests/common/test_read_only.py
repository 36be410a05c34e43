"""Data folders that may only be read."""

import subprocess
import sys
from pathlib import Path

import pytest
from kedro.io import DatasetError

from tests.fanout.jobs import SERIAL, faulty_job, value_job
from tests.helpers.project import ROOT
from tests.helpers.read_only import contents, obey_permissions, read_only
from vidrep_pipelines.common import atomic
from vidrep_pipelines.common.atomic import ReadOnlyError, atomic_directory, atomic_file
from vidrep_pipelines.datasets.tables import AtomicJson
from vidrep_pipelines.fanout.runner import run_job

PROGRAM = """
import sys
from pathlib import Path
import pandas as pd
from tests.fanout.jobs import SERIAL, faulty_job, value_job
from vidrep_pipelines.common.atomic import ReadOnlyError
from vidrep_pipelines.datasets.tables import AtomicJson, AtomicParquet
from vidrep_pipelines.fanout.runner import run_job
from vidrep_pipelines.training.run_directory import RunDirectory

data = Path(sys.argv[1])
assert len(run_job(value_job(range(3)), data / "items").ids) == 3
for config in (SERIAL, SERIAL.trying_again()):
    assert len(run_job(faulty_job({"a": None, "b": "raise"}, config), data / "faults").failed) == 1
AtomicJson(filepath=data / "a.json").save({"a": 1})
AtomicParquet(filepath=data / "a.parquet").save(pd.DataFrame({"a": [1, 2]}))
with RunDirectory(data / "run", data / "reports", 1).locked():
    pass
for change in (
    lambda: run_job(value_job(range(4)), data / "items"),
    lambda: run_job(value_job(range(4)), data / "new"),
):
    try:
        change()
    except ReadOnlyError as error:
        assert "cannot be written to" in str(error) and "Remedy" in str(error), error
    else:
        raise AssertionError("nothing was refused")
try:
    AtomicJson(filepath=data / "a.json").save({"a": 2})
except Exception as error:
    assert "a.json is not up to date" in str(error), error
else:
    raise AssertionError("nothing was refused")
"""


def test_what_is_up_to_date_is_used_from_a_folder_that_cannot_be_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    monkeypatch.setattr(sys, "argv", ["", str(data)])
    exec(PROGRAM.partition("for change in")[0], {})
    before = contents(data)
    command = [sys.executable, "-c", PROGRAM, str(data)]
    with read_only(data):
        run = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, check=False, preexec_fn=obey_permissions
        )
    assert run.returncode == 0, run.stderr
    assert contents(data) == before


def test_nothing_is_written_where_nothing_is_to_do(tmp_path: Path) -> None:
    run_job(value_job(range(3)), tmp_path / "items")
    run_job(faulty_job({"a": None, "b": "raise"}, SERIAL), tmp_path / "faults")
    before = contents(tmp_path)
    run_job(value_job(range(3)), tmp_path / "items")
    run_job(faulty_job({"a": None, "b": "raise"}, SERIAL), tmp_path / "faults")
    assert contents(tmp_path) == before


def test_files_and_folders_without_a_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for content in ("old", "new"):
        with atomic_file(tmp_path / "a.txt") as file:
            file.write_text(content)
        with atomic_directory(tmp_path / "folder") as folder:
            (folder / "b").mkdir()
            (folder / "b/c.txt").write_text(content)
    before = contents(tmp_path)
    monkeypatch.setattr(atomic, "is_read_only", lambda _: True)
    with atomic_file(tmp_path / "a.txt") as file:
        file.write_text("new")
    with atomic_directory(tmp_path / "folder") as folder:
        (folder / "b").mkdir()
        (folder / "b/c.txt").write_text("new")
    with (
        pytest.raises(ReadOnlyError, match=r"a\.txt is not up to date"),
        atomic_file(tmp_path / "a.txt") as file,
    ):
        file.write_text("other")
    with (
        pytest.raises(ReadOnlyError, match="folder is not up to date"),
        atomic_directory(tmp_path / "folder"),
    ):
        pass
    with (
        pytest.raises(ReadOnlyError, match=r"d\.txt is not up to date"),
        atomic_file(tmp_path / "d.txt") as file,
    ):
        file.write_text("new")
    assert contents(tmp_path) == before


def test_how_a_run_went_is_only_a_warning_where_it_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    dataset = AtomicJson(filepath=tmp_path / "metrics.json", of_run=True)
    dataset.save({"status": "trained"})
    monkeypatch.setattr(atomic, "is_read_only", lambda _: True)
    dataset.save({"status": "up to date"})
    assert dataset.load() == {"status": "trained"}
    assert "metrics.json is not up to date" in caplog.text
    with pytest.raises(DatasetError, match="not up to date"):
        AtomicJson(filepath=tmp_path / "metrics.json").save({"status": "up to date"})
    with pytest.raises(DatasetError, match="not up to date"):
        AtomicJson(filepath=tmp_path / "new.json", of_run=True).save({})
