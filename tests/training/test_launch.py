import logging
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.training.toy_task import TOY_TRAIN, ToyTask, launched, losses, toy_spec
from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.training import launch as module
from vidrep_pipelines.training.checkpoint import list_checkpoints
from vidrep_pipelines.training.config import LaunchConfig, TrainConfig, TrainSpec
from vidrep_pipelines.training.errors import (
    CheckpointWriteError,
    Failure,
    TrainingFailedError,
    TrainingInterrupted,
)
from vidrep_pipelines.training.launch import launch
from vidrep_pipelines.training.loop import run_training
from vidrep_pipelines.training.processes import Death
from vidrep_pipelines.training.result import TrainResult
from vidrep_pipelines.training.run_directory import RunDirectory
from vidrep_pipelines.training.run_record import RunRecord

PATIENCE_SECONDS = 60
_TWO = LaunchConfig(device="cpu", processes=2, loader_workers=0, device_batch_size=2)
_EMA = TOY_TRAIN.model_copy(update={"ema_decay": 0.9, "batch_size": 7})  # two processes: 2 + 2, then 2 + 1


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run by one process, in this one."""
    folder = tmp_path_factory.mktemp("alone")
    assert launch(toy_spec(folder, train=_EMA)).status == "trained"
    return folder


@pytest.mark.ddp
@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_two_processes_equal_one(
    alone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, strategy: str
) -> None:
    foreign = {"WORLD_SIZE": "7", "LOCAL_RANK": "6", "MASTER_ADDR": "nowhere", "MASTER_PORT": "1"}
    for name, value in {**foreign, "RANK": "6", "LOCAL_WORLD_SIZE": "7"}.items():  # of another launcher
        monkeypatch.setenv(name, value)
    two = _TWO.model_copy(update={"strategy": strategy})
    handler = signal.getsignal(signal.SIGTERM)
    task = ToyTask(listening=tmp_path / "listening")
    result = launch(toy_spec(tmp_path, task, train=_EMA, launch=two))
    assert result.status == "trained"
    assert len(result.reports) == 3
    assert losses(tmp_path) == pytest.approx(losses(alone), abs=1e-5)
    for file in ("model.safetensors", "ema.safetensors"):
        ours = load_file(result.checkpoint / file)
        theirs = load_file(alone / "run" / "checkpoints" / "step-00000012" / file)
        assert ours.keys() == theirs.keys()
        for name, value in theirs.items():
            torch.testing.assert_close(ours[name], value, atol=1e-5, rtol=1e-4)
    assert signal.getsignal(signal.SIGTERM) is handler
    addresses = [address for file in tmp_path.glob("listening-*") for address in file.read_text().split()]
    assert addresses and all(address.startswith("127.") for address in addresses)
    assert launch(toy_spec(tmp_path, train=_EMA)).status == "up to date"


@pytest.mark.slow
@pytest.mark.ddp
def test_killed_process_recovers(alone: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    task = ToyTask(kill_rank=1, kill_step=6, kill_marker=tmp_path / "killed")
    with caplog.at_level(logging.WARNING):
        result = launch(toy_spec(tmp_path, task, train=_EMA, launch=_TWO))
    assert (result.status, result.step) == ("trained", 12)
    assert losses(tmp_path) == pytest.approx(losses(alone), abs=1e-5)
    assert "Training process 1 was killed by SIGKILL. Starting again from update 4." in caplog.text


@pytest.mark.ddp
def test_sharded_run_is_interrupted_and_continued_by_one_process(alone: Path, tmp_path: Path) -> None:
    task = ToyTask(kill_rank=1, kill_step=5, kill_marker=tmp_path / "killed", kill_signal=signal.SIGTERM)
    with pytest.raises(TrainingInterrupted, match="after update 6"):
        launch(toy_spec(tmp_path, task, train=_EMA, launch=_TWO.model_copy(update={"strategy": "fsdp"})))
    result = launch(toy_spec(tmp_path, train=_EMA))
    assert (result.status, result.resumed_from) == ("resumed", 6)
    assert losses(tmp_path) == pytest.approx(losses(alone), abs=1e-5)


@pytest.mark.ddp
def test_faults_are_reported_without_retrying(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(TrainingFailedError, match="TypeError: a fault in code"):
        launch(toy_spec(tmp_path, ToyTask(fault="a fault in code"), launch=_TWO))
    assert "Starting again" not in caplog.text


def _dies(*steps: int) -> Callable[[TrainSpec], TrainResult]:
    """A launch that dies after having saved each of ``steps`` in turn."""
    remaining = list(steps)

    def launch_once(spec: TrainSpec) -> TrainResult:
        folder = RunDirectory.of(spec)
        if not remaining:
            return run_training(spec)
        folder.prepare(RunRecord.of(spec, ToyTask()))
        (folder.checkpoints / f"step-{remaining.pop(0):08d}").mkdir(parents=True, exist_ok=True)
        raise module._ProcessDiedError("Training process 1 was killed by SIGKILL.", " A trace.")

    return launch_once


def test_deaths_in_a_row_are_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_launch_once", _dies(2, 2, 2))
    with pytest.raises(TrainingFailedError, match=r"launch\.retries = 2 is used up; 2 updates .* A trace\."):
        launch(toy_spec(tmp_path, launch=_TWO))


def test_progress_resets_the_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_launch_once", _dies(1, 1, 2, 2, 3, 3, 3))
    with pytest.raises(TrainingFailedError, match="; 3 updates are saved"):
        launch(toy_spec(tmp_path, launch=_TWO))


def test_a_former_run_that_is_brought_back_is_up_to_date(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = run_training(toy_spec(tmp_path))
    run_training(toy_spec(tmp_path, train=TOY_TRAIN.model_copy(update={"seed": 4})))
    monkeypatch.setattr(module, "_launch_once", run_training)
    again = launch(toy_spec(tmp_path, launch=_TWO))
    assert again == first.model_copy(update={"status": "up to date", "resumed_from": 12})


def test_our_own_errors_come_through_as_they_are() -> None:
    report = Failure(
        error="vidrep_pipelines.common.errors:ConfigurationError",
        message="text",
        trace="",
        worth_retrying=False,
    )
    error = report.as_exception()
    assert isinstance(error, ConfigurationError)
    assert str(error) == "text"
    for elsewhere in ("os:system", "vidrep_pipelines_of_others.errors:TheirError"):
        foreign = report.model_copy(update={"error": elsewhere, "trace": "a trace"}).as_exception()
        assert isinstance(foreign, TrainingFailedError)
        assert "a trace" in str(foreign)


@pytest.mark.ddp
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_outlives_the_launcher(tmp_path: Path, number: signal.Signals) -> None:
    with launched(_endless(tmp_path, _TWO), tmp_path) as launcher:
        _wait_for_an_update(tmp_path)
        children = _children(launcher.pid)
        assert len(children) >= 2
        launcher.send_signal(number)
        _, message = launcher.communicate(timeout=PATIENCE_SECONDS)
        _wait_until(lambda: not any(_is_running(child) for child in children))
    if number == signal.SIGTERM:
        assert "TrainingInterrupted: Training was stopped by SIGTERM" in message
        assert (
            list_checkpoints(tmp_path / "run" / "checkpoints")[0].name == f"step-{len(losses(tmp_path)):08d}"
        )


def test_no_process_is_started_that_would_have_no_item(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "LocalProcesses", lambda *_: pytest.fail("started processes"))
    one = TOY_TRAIN.model_copy(update={"batch_size": 1})
    assert launch(toy_spec(tmp_path, train=one, launch=_TWO)).status == "trained"
    assert "train.batch_size is 1: 1 of 2 processes would have no item" in caplog.text


def _endless(folder: Path, launch: LaunchConfig) -> TrainSpec:
    train = TrainConfig.model_validate({**TOY_TRAIN.model_dump(), "steps": 10**8})
    return toy_spec(folder, train=train, launch=launch)


def _wait_for_an_update(folder: Path) -> None:
    log = folder / "run" / "train_log.jsonl"
    _wait_until(lambda: log.is_file() and log.stat().st_size > 0)


@pytest.mark.parametrize("processes", [1, pytest.param(2, marks=pytest.mark.ddp)])
def test_the_first_ctrl_c_saves_and_says_where_it_continues(tmp_path: Path, processes: int) -> None:
    launch = LaunchConfig(device="cpu", processes=processes, loader_workers=2, device_batch_size=2)
    with launched(_endless(tmp_path, launch), tmp_path) as launcher:
        _wait_for_an_update(tmp_path)
        os.killpg(launcher.pid, signal.SIGINT)  # as a terminal does: to every process of the group
        _, message = launcher.communicate(timeout=PATIENCE_SECONDS)
    done = len(losses(tmp_path))
    newest = list_checkpoints(tmp_path / "run" / "checkpoints")[0]
    assert newest.name == f"step-{done:08d}"
    assert f"Training was stopped by SIGINT after update {done}; {newest} is saved." in message
    assert "Ctrl-C again stops at once" in message
    assert message.count("Traceback") == 1, message


@pytest.mark.parametrize("processes", [1, pytest.param(2, marks=[pytest.mark.ddp, pytest.mark.slow])])
def test_the_second_ctrl_c_stops_at_once(tmp_path: Path, processes: int) -> None:
    launch = LaunchConfig(device="cpu", processes=processes, loader_workers=2, device_batch_size=2)
    task = ToyTask(hang_at=3, kill_marker=tmp_path / "hangs")
    with launched(toy_spec(tmp_path, task, launch=launch), tmp_path) as launcher:
        _wait_until((tmp_path / "hangs").exists)
        children = _children(launcher.pid)
        os.killpg(launcher.pid, signal.SIGINT)
        assert launcher.stderr is not None
        while "Ctrl-C again stops at once" not in launcher.stderr.readline():
            assert launcher.poll() is None
        os.killpg(launcher.pid, signal.SIGINT)
        _, message = launcher.communicate(timeout=PATIENCE_SECONDS)
        _wait_until(lambda: not any(_is_running(child) for child in children))
    assert "\nKeyboardInterrupt\n" in message


def test_an_error_in_a_loader_worker_does_not_hang_the_process(tmp_path: Path) -> None:
    launch = LaunchConfig(device="cpu", loader_workers=4)
    with launched(toy_spec(tmp_path, ToyTask(broken_item=17), launch=launch), tmp_path) as launcher:
        _, message = launcher.communicate(timeout=PATIENCE_SECONDS)
    assert launcher.returncode == 1
    assert "InputError: clip_017 cannot be read." in message


def test_copies_under_torchrun_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    monkeypatch.setenv("WORLD_SIZE", "4")
    with pytest.raises(
        ConfigurationError, match=r"torchrun started this pipeline 4 times.*launch\.processes"
    ):
        launch(toy_spec(tmp_path))


def _report(rank: int, at: float, error: Exception) -> Failure:
    return Failure.of(error, rank).model_copy(update={"at": at})


def test_the_first_error_wins() -> None:
    lost, own = RuntimeError("Connection closed by peer"), OSError("The disk is gone")
    late, early = _report(0, 2.0, lost), _report(1, 1.0, own)
    death = module._reason(Death(0, 1), [early, late], "")
    assert str(death) == "Training process 1 failed (OSError: The disk is gone)."
    killed = module._reason(Death(1, -9), [late], "")
    assert str(killed) == "Training process 1 was killed by SIGKILL."
    final = module._reason(Death(0, 1), [late, _report(1, 3.0, ConfigurationError("too small"))], "")
    assert isinstance(final, ConfigurationError) and str(final) == "too small"


def test_a_requested_stop_is_no_death() -> None:
    stopped = _report(0, 1.0, TrainingInterrupted("Training was stopped by SIGTERM after update 3"))
    for failures in ([], [stopped], [_report(1, 1.0, RuntimeError("Connection closed by peer"))]):
        reason = module._reason(Death(0, -15), failures, "SIGINT")
        assert isinstance(reason, module._StoppedError) and str(reason) == "SIGINT"
    full = _report(0, 1.0, CheckpointWriteError("No space"))
    assert isinstance(module._reason(Death(0, 1), [full], "SIGINT"), CheckpointWriteError)


def test_a_stop_before_anything_is_saved_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(spec: TrainSpec) -> TrainResult:
        raise module._StoppedError("SIGINT")

    monkeypatch.setattr(module, "_launch_once", stopped)
    with pytest.raises(TrainingInterrupted, match="stopped by SIGINT; nothing was saved yet"):
        launch(toy_spec(tmp_path, launch=_TWO))


def _wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def _children(parent: int) -> list[int]:
    processes = [int(folder.name) for folder in Path("/proc").iterdir() if folder.name.isdigit()]
    return [process for process in processes if _status(process)[1:2] == [str(parent)]]


def _is_running(process: int) -> bool:
    return _status(process)[:1] not in ([], ["Z"])


def _status(process: int) -> list[str]:
    """State and parent of a process; nothing if there is no such process."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[:2]
    except FileNotFoundError:
        return []
