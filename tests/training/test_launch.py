import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.training import launch as module
from vidrep_pipelines.training.checkpoint import list_checkpoints
from vidrep_pipelines.training.config import LaunchConfig, TrainConfig, TrainSpec
from vidrep_pipelines.training.errors import TrainingFailedError, TrainingInterrupted
from vidrep_pipelines.training.launch import launch
from vidrep_pipelines.training.loop import run_training
from vidrep_pipelines.training.result import TrainResult
from vidrep_pipelines.training.run_directory import RunDirectory
from vidrep_pipelines.training.run_record import RunRecord
from vidrep_pipelines.training.worker import Failure

from .toy_task import TOY_TRAIN, ToyTask, losses, toy_spec

_TWO = LaunchConfig(device="cpu", processes=2, loader_workers=0, device_batch_size=2)
_EMA = TOY_TRAIN.model_copy(update={"ema_decay": 0.9})

_LAUNCHER = """
import sys
from pathlib import Path
from vidrep_pipelines.training.config import TrainSpec
from vidrep_pipelines.training.launch import launch
from vidrep_pipelines.training.loop import run_training
from vidrep_pipelines.training.result import TrainResult
from vidrep_pipelines.training.run_directory import RunDirectory
from vidrep_pipelines.training.run_record import RunRecord
from vidrep_pipelines.training.worker import Failure

if __name__ == "__main__":
    launch(TrainSpec.model_validate_json(Path(sys.argv[1]).read_text()))
"""


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run by one process, in this one."""
    folder = tmp_path_factory.mktemp("alone")
    assert launch(toy_spec(folder, train=_EMA)).status == "trained"
    return folder


@pytest.mark.ddp
@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_two_processes_equal_one(alone: Path, tmp_path: Path, strategy: str) -> None:
    two = _TWO.model_copy(update={"strategy": strategy})
    handler = signal.getsignal(signal.SIGTERM)
    result = launch(toy_spec(tmp_path, train=_EMA, launch=two))
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
    assert launch(toy_spec(tmp_path, train=_EMA)).status == "up to date"


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
    error = module._as_exception(report)
    assert isinstance(error, ConfigurationError)
    assert str(error) == "text"
    foreign = module._as_exception(report.model_copy(update={"error": "os:system", "trace": "a trace"}))
    assert isinstance(foreign, TrainingFailedError)
    assert "a trace" in str(foreign)


@pytest.mark.ddp
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_outlives_the_launcher(tmp_path: Path, number: signal.Signals) -> None:
    endless = TrainConfig.model_validate({**TOY_TRAIN.model_dump(), "steps": 10**8})
    (tmp_path / "spec.json").write_text(toy_spec(tmp_path, train=endless, launch=_TWO).model_dump_json())
    (tmp_path / "launcher.py").write_text(_LAUNCHER)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(tmp_path / "launcher.py"), str(tmp_path / "spec.json")]
    launcher = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    log = tmp_path / "run" / "train_log.jsonl"
    _wait_until(lambda: log.is_file() and log.stat().st_size > 0)
    children = _children(launcher.pid)
    assert len(children) >= 2
    launcher.send_signal(number)
    _, message = launcher.communicate()
    _wait_until(lambda: not any(_is_running(child) for child in children))
    if number == signal.SIGTERM:
        assert "TrainingInterrupted: Training was stopped by SIGTERM" in message
        assert (
            list_checkpoints(tmp_path / "run" / "checkpoints")[0].name == f"step-{len(losses(tmp_path)):08d}"
        )


def _wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
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
