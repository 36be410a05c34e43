"""A run makes place for another one: none is ever lost, and each comes back whole."""

import logging
import shutil
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from tests.helpers.kill_points import killed_before_event
from tests.training.toy_task import TOY_TRAIN, ToyTask, losses, run_worker, toy_spec
from vidrep_pipelines.common import atomic
from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.training.config import TrainConfig, TrainSpec
from vidrep_pipelines.training.loop import run_training
from vidrep_pipelines.training.run_directory import RunDirectory
from vidrep_pipelines.training.run_record import RunRecord, read_record


def _changed(**changes: object) -> TrainConfig:
    return TrainConfig.model_validate({**TOY_TRAIN.model_dump(), **changes})


def _pictures(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in (folder / "reports").iterdir()}


def _weights(folder: Path) -> bytes:
    return (folder / "run/checkpoints/step-00000012/model.safetensors").read_bytes()


def test_going_back_restores_the_finished_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    first = run_training(toy_spec(tmp_path))
    weights, pictures, log = _weights(tmp_path), _pictures(tmp_path), losses(tmp_path)
    run_training(toy_spec(tmp_path, train=_changed(seed=4)))
    assert _pictures(tmp_path).keys() == pictures.keys()
    assert _pictures(tmp_path) != pictures
    monkeypatch.setattr(ToyTask, "build_model", lambda self: pytest.fail("built a model"))
    with caplog.at_level(logging.INFO):
        again = run_training(toy_spec(tmp_path))
    assert again == first.model_copy(update={"status": "up to date", "resumed_from": 12})
    assert (_weights(tmp_path), _pictures(tmp_path), losses(tmp_path)) == (weights, pictures, log)
    assert "Brought back" in caplog.text
    assert len(list((tmp_path / "previous").iterdir())) == 1


def test_going_back_continues_the_unfinished_run(tmp_path: Path) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    broken.mkdir()
    run_training(toy_spec(whole))
    victim = ToyTask(kill_rank=0, kill_step=6, kill_marker=broken / "killed")
    assert run_worker(toy_spec(broken, victim), broken).returncode == -9
    run_training(toy_spec(broken, train=_changed(seed=4)))
    again = run_training(toy_spec(broken))
    assert (again.status, again.resumed_from) == ("resumed", 4)
    assert (_weights(broken), _pictures(broken), losses(broken)) == (
        *(_weights(whole), _pictures(whole)),
        losses(whole),
    )


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (lambda folder: toy_spec(folder, train=_changed(optimizer={"warmup_steps": 50})), "warm-up takes 50"),
        (lambda folder: toy_spec(folder, train=_changed(batch_size=41)), "fewer than train.batch_size"),
        (lambda folder: toy_spec(folder, ToyTask(width=-1)), "dimension -1"),
        (lambda folder: toy_spec(folder, ToyTask(items=0)), "0 items"),
    ],
)
def test_impossible_parameters_leave_the_finished_run_alone(
    tmp_path: Path, spec: Callable[[Path], TrainSpec], message: str
) -> None:
    run_training(toy_spec(tmp_path))
    with pytest.raises((ConfigurationError, RuntimeError), match=message):
        run_training(spec(tmp_path))
    assert not (tmp_path / "previous").exists()
    assert run_training(toy_spec(tmp_path)).status == "up to date"


def test_a_bounded_number_is_kept_and_sizes_are_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    digests = []
    with caplog.at_level(logging.INFO):
        for seed in range(5):
            result = run_training(toy_spec(tmp_path, train=_changed(seed=seed, keep_former_runs=2)))
            digests.append(result.digest)
    assert {path.name for path in (tmp_path / "previous").iterdir()} == set(digests[2:4])
    removed = [line for line in caplog.messages if line.startswith("Removed the former run")]
    assert len(removed) == 2
    assert f"previous/{digests[0]} (0.0 MB)" in removed[0]
    assert "train.keep_former_runs = 2" in removed[0]


def test_finished_runs_are_kept_before_unfinished_ones(tmp_path: Path) -> None:
    finished = run_training(toy_spec(tmp_path))
    for seed in (5, 6, 7):
        victim = ToyTask(kill_rank=0, kill_step=5, kill_marker=tmp_path / f"killed-{seed}", kill_signal=15)
        with pytest.raises(Exception, match="SIGTERM"):
            run_training(toy_spec(tmp_path, victim, _changed(seed=seed, keep_former_runs=1)))
    assert [path.name for path in (tmp_path / "previous").iterdir()] == [finished.digest]


def test_the_layout_of_earlier_versions_is_restored(tmp_path: Path) -> None:
    """One former run, its pictures side by side, noted by absolute paths, results with absolute paths."""
    first = run_training(toy_spec(tmp_path))
    weights, pictures = _weights(tmp_path), _pictures(tmp_path)
    old = tmp_path / "previous" / first.digest
    (old / "reports").mkdir(parents=True)
    for name in pictures:
        (tmp_path / "reports" / name).rename(old / "reports" / name)
    names = ", ".join(f'"{tmp_path}/reports/{name}"' for name in sorted(pictures))
    for file in list((tmp_path / "run").iterdir()):
        file.rename(old / file.name)
    (old / "reports.json").write_text(f"[{names}]")
    (old / "result.json").write_text(
        first.model_copy(update={"precision": None}).model_dump_json(exclude={"precision"})
    )
    for state in old.glob("checkpoints/*/state.json"):
        text = state.read_text()
        state.write_text(text[: text.index(',\n "digests"')] + "\n}")
    again = run_training(toy_spec(tmp_path))
    assert again.status == "up to date"
    assert (_weights(tmp_path), _pictures(tmp_path)) == (weights, pictures)
    assert again.reports == first.reports


def test_folders_of_others_beside_the_former_runs_are_left_alone(tmp_path: Path) -> None:
    run_training(toy_spec(tmp_path))
    names = ("notes", "unknown runs", "moving-averages")
    for name in names:
        (tmp_path / "previous" / name).mkdir(parents=True)
        (tmp_path / "previous" / name / "a.txt").touch()
    run_training(toy_spec(tmp_path, train=_changed(seed=4)))
    assert all((tmp_path / "previous" / name / "a.txt").is_file() for name in names)


def test_files_of_the_planner_stay(tmp_path: Path) -> None:
    run_training(toy_spec(tmp_path))
    (tmp_path / "run" / "clips.arrow").write_text("the new run's")
    second = run_training(toy_spec(tmp_path, train=_changed(seed=4)))
    assert (second.run_directory / "clips.arrow").read_text() == "the new run's"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run A, a former one of B, and what the planner wrote."""
    folder = tmp_path_factory.mktemp("runs")
    run_training(toy_spec(folder, train=_changed(seed=4)))
    run_training(toy_spec(folder))
    (folder / "run" / "clips.arrow").write_text("planned")
    return folder


@pytest.mark.parametrize(
    ("seed", "at_once"),
    [
        pytest.param(4, True, id="back to a former run"),
        pytest.param(5, False, id="on to a new run, by renames"),
        pytest.param(4, False, id="back to a former run, by renames", marks=pytest.mark.slow),
        pytest.param(5, True, id="on to a new run", marks=pytest.mark.slow),
    ],
)
def test_a_kill_at_any_step_loses_no_run(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: bool, seed: int
) -> None:
    if not at_once:
        monkeypatch.setattr(atomic, "_exchanged_at_once", lambda first, second: False)
    pictures = {number: _all_pictures(runs, number) for number in (3, 4)}
    for step in count():
        folder = tmp_path / str(step)
        shutil.copytree(runs, folder)
        killed = killed_before_event(step, lambda folder=folder: _start(folder, seed))
        found = _finished_somewhere(folder)
        assert {_record(folder, 3).digest, _record(folder, 4).digest} <= found
        _start(folder, seed)  # what was begun is completed,
        assert read_record(folder / "run") == _record(folder, seed)
        if seed == 5:
            assert _pictures(folder) == {}
        for number in (4, 3):  # and both come back whole
            _start(folder, number)
            spec = toy_spec(folder, train=_changed(seed=number))
            result = RunDirectory.of(spec).finished(_record(folder, number))
            assert result is not None
            assert _pictures(folder) == pictures[number]
            assert (folder / "run" / "clips.arrow").is_file()
        assert [path for path in folder.rglob(".*") if path.name != ".run.lock"] == []
        if not killed:
            break
    assert step > 15


def _record(folder: Path, seed: int) -> RunRecord:
    return RunRecord.of(toy_spec(folder, train=_changed(seed=seed)), ToyTask())


def _start(folder: Path, seed: int) -> None:
    """What training does with its folder before the first update."""
    directory = RunDirectory.of(toy_spec(folder, train=_changed(seed=seed)))
    record = _record(folder, seed)
    if directory.finished(record) is None and directory.restore(record) is None:
        directory.prepare(record)


def _finished_somewhere(folder: Path) -> set[str]:
    """Digests of the runs of which everything is in one folder, whatever its name."""
    found = set()
    for run in [folder / "run", *(folder / "previous").iterdir()]:
        parts = [run / name for name in ("run.json", "result.json", "train_log.jsonl", "reports.json")]
        if all(part.is_file() for part in parts) and len(list(run.glob("checkpoints/step-*/*"))) == 6:
            record = read_record(run)
            assert record is not None
            found.add(record.digest)
    return found


def _all_pictures(runs: Path, seed: int) -> dict[str, str]:
    folder = "reports" if seed == 3 else f"previous/{_record(runs, seed).digest}/reports"
    return {path.name: path.read_text() for path in (runs / folder).iterdir()}
