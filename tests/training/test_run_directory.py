import fcntl
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.training.toy_task import TOY_TRAIN, ToyTask, losses, toy_spec
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.training import run_directory
from vidrep_pipelines.training.checkpoint import checkpoint_path
from vidrep_pipelines.training.loop import run_training
from vidrep_pipelines.training.run_directory import RunDirectory
from vidrep_pipelines.training.run_record import RunRecord


def test_the_machine_is_not_part_of_the_record(tmp_path: Path) -> None:
    spec, task = toy_spec(tmp_path), ToyTask()
    elsewhere = toy_spec(tmp_path / "elsewhere").model_copy(
        update={"launch": spec.launch.model_copy(update={"processes": 4})}
    )
    assert RunRecord.of(elsewhere, task) == RunRecord.of(spec, task)
    assert RunRecord.of(spec.model_copy(update={"data_digest": "new"}), task) != RunRecord.of(spec, task)


def test_digests_are_those_of_earlier_versions(tmp_path: Path) -> None:
    """A finished run stays finished: new fields that change no weight must stay out of the identity."""
    assert RunRecord.of(toy_spec(tmp_path), ToyTask()).digest == "f946132304ef4fe7"


def test_a_task_may_move_to_another_module(tmp_path: Path) -> None:
    spec = toy_spec(tmp_path)
    moved = spec.model_copy(update={"task": "tests.elsewhere:ToyTask"})
    assert RunRecord.of(moved, ToyTask()) == RunRecord.of(spec, ToyTask())


def test_a_finished_run_of_an_earlier_version_is_up_to_date(tmp_path: Path) -> None:
    """Absolute paths in ``result.json`` and ``reports.json``, no digests in ``state.json``."""
    first = run_training(toy_spec(tmp_path))
    run = tmp_path / "run"
    old = first.model_copy(update={"epoch": None, "precision": None})
    (run / "result.json").write_text(old.model_dump_json(exclude={"epoch", "precision"}))
    (run / "reports.json").write_text(json.dumps([str(path) for path in first.reports]))
    for path in run.glob("checkpoints/*/state.json"):
        state = json.loads(path.read_text())
        del state["digests"]
        path.write_text(json.dumps(state))
    again = run_training(toy_spec(tmp_path))
    assert again == old.model_copy(update={"status": "up to date", "resumed_from": 12})


def test_checkpoints_that_a_run_kept_are_found_by_their_updates(tmp_path: Path) -> None:
    spec = toy_spec(tmp_path, train=TOY_TRAIN.model_copy(update={"keep_every": 1}))
    digest, run = run_training(spec).digest, RunDirectory.of(spec)
    assert run.kept_steps() == [4, 8, 12]
    early = run.kept(digest, 4)
    assert early is not None and early == checkpoint_path(run.checkpoints, 4)
    assert run.kept(digest, 5) is None and run.kept("another run's", 4) is None
    weights = early / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\0")
    with pytest.raises(InputError, match="its bytes are not those that were written"):
        run.kept(digest, 4)


def test_lost_last_checkpoint_is_trained_again(tmp_path: Path) -> None:
    result = run_training(toy_spec(tmp_path))
    before = losses(tmp_path)
    (result.checkpoint / "model.safetensors").unlink()
    again = run_training(toy_spec(tmp_path))
    assert (again.status, again.resumed_from) == ("resumed", 8)
    assert losses(tmp_path) == before


@pytest.mark.parametrize(
    "damage", ["{", "", "\xff", '{"digest": "0123", "identity": {"train": 1}}', "[]", "null"]
)
def test_damaged_record_beside_good_checkpoints_costs_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    run_training(toy_spec(tmp_path))
    record = (tmp_path / "run" / "run.json").read_text()
    (tmp_path / "run" / "run.json").write_text(damage, encoding="latin-1")
    (tmp_path / "run" / "result.json").unlink()
    again = run_training(toy_spec(tmp_path))
    assert (again.status, again.resumed_from) == ("resumed", 12)
    assert caplog.text.count("run.json cannot be read") == 1
    assert (tmp_path / "run" / "run.json").read_text() == record
    assert not (tmp_path / "previous").exists()


def test_a_run_that_nobody_knows_is_kept_and_trained_anew(tmp_path: Path) -> None:
    run_training(toy_spec(tmp_path))
    (tmp_path / "run" / "run.json").write_text("{")
    for state in (tmp_path / "run" / "checkpoints").glob("*/state.json"):
        state.write_text("{")
    assert run_training(toy_spec(tmp_path)).status == "trained"
    assert (
        tmp_path / "previous" / "unknown" / "checkpoints" / "step-00000012" / "model.safetensors"
    ).is_file()


def test_damaged_weights_of_a_finished_run_are_trained_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Equal in size, so that only their digest shows it."""
    result = run_training(toy_spec(tmp_path))
    before = (result.checkpoint / "model.safetensors").read_bytes()
    (result.checkpoint / "model.safetensors").write_bytes(before[:-50] + bytes(50))
    again = run_training(toy_spec(tmp_path))
    assert (again.status, again.resumed_from) == ("resumed", 8)
    assert re.search(
        r"step-00000012/model\.safetensors is damaged.*Continuing from step-00000008", caplog.text
    )
    assert (result.checkpoint / "model.safetensors").read_bytes() == before


@pytest.mark.parametrize("damage", [b"{", b"", b"\xff\xfe", b'{"task": 3}', b"[]"])
def test_damaged_result_of_a_finished_run_is_written_again(tmp_path: Path, damage: bytes) -> None:
    first = run_training(toy_spec(tmp_path))
    (tmp_path / "run" / "result.json").write_bytes(damage)
    assert run_training(toy_spec(tmp_path)).checkpoint == first.checkpoint
    assert run_training(toy_spec(tmp_path)).status == "up to date"


def test_a_finished_run_needs_no_writing(tmp_path: Path) -> None:
    first = run_training(toy_spec(tmp_path))
    for path in sorted(tmp_path.rglob("*"), reverse=True):
        if path.name.endswith(".lock"):
            path.unlink()
    before = {path: path.stat().st_mtime_ns for path in [tmp_path, *tmp_path.rglob("*")]}
    assert run_training(toy_spec(tmp_path)).reports == first.reports
    assert {path: path.stat().st_mtime_ns for path in [tmp_path, *tmp_path.rglob("*")]} == before


def test_a_moved_folder_is_the_same_run(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    run_training(toy_spec(old))
    shutil.copytree(old, new)
    shutil.rmtree(old)
    found = run_training(toy_spec(new))
    assert found.status == "up to date"
    places = [found.run_directory, found.checkpoint, found.log, *found.reports]
    assert all(path.is_relative_to(new) and path.exists() for path in places)
    assert len(found.reports) == 3
    assert str(old) not in "".join(path.read_text() for path in (new / "run").glob("*.json*"))


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
        RunDirectory.of(toy_spec(tmp_path)).locked(),
    ):
        pytest.fail("got the lock")
    holder.communicate()
    with RunDirectory.of(toy_spec(tmp_path)).locked():
        assert fcntl.LOCK_EX
