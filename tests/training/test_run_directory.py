import fcntl
import subprocess
import sys
from pathlib import Path

import pytest

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.training import run_directory
from vidrep_pipelines.training.loop import run_training
from vidrep_pipelines.training.run_directory import RunDirectory, RunRecord

from .toy_task import ToyTask, losses, toy_spec


def test_the_machine_is_not_part_of_the_record(tmp_path: Path) -> None:
    spec, task = toy_spec(tmp_path), ToyTask()
    elsewhere = toy_spec(tmp_path / "elsewhere").model_copy(
        update={"launch": spec.launch.model_copy(update={"processes": 4})}
    )
    assert RunRecord.of(elsewhere, task) == RunRecord.of(spec, task)
    assert RunRecord.of(spec.model_copy(update={"data_digest": "new"}), task) != RunRecord.of(spec, task)


def test_lost_last_checkpoint_is_trained_again(tmp_path: Path) -> None:
    result = run_training(toy_spec(tmp_path))
    before = losses(tmp_path)
    (result.checkpoint / "model.safetensors").unlink()
    again = run_training(toy_spec(tmp_path))
    assert (again.status, again.resumed_from) == ("resumed", 8)
    assert losses(tmp_path) == before


def test_unreadable_record_moves_the_run_aside(tmp_path: Path) -> None:
    run_training(toy_spec(tmp_path))
    (tmp_path / "run" / "run.json").write_text("{")
    (tmp_path / "run" / "result.json").unlink()
    assert run_training(toy_spec(tmp_path)).status == "trained"
    assert (tmp_path / "previous" / "unknown" / "checkpoints").is_dir()


def test_leftovers_of_a_killed_writer_are_removed(tmp_path: Path) -> None:
    leftover = tmp_path / "run" / "checkpoints" / ".step-00000004.partial-1-ab"
    leftover.mkdir(parents=True)
    run_training(toy_spec(tmp_path))
    assert not leftover.exists()


def test_two_runs_exclude_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_directory, "_LOCK_SECONDS", 0.3)
    program = (
        "import fcntl, sys; file = open(sys.argv[1], 'w'); fcntl.lockf(file, fcntl.LOCK_EX); "
        "print('locked', flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / ".run.lock")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"locked\n"
    with (
        pytest.raises(InputError, match="Another process is training in"),
        RunDirectory(tmp_path / "run").locked(),
    ):
        pytest.fail("got the lock")
    holder.communicate()
    with RunDirectory(tmp_path / "run").locked():
        assert fcntl.LOCK_EX
