"""Starts a training run: in this process, or in several that are restarted when one dies."""

import logging
import os
import shutil
import tempfile
from pathlib import Path

from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.training.checkpoint import checkpoint_path
from vidrep_pipelines.training.config import TrainSpec
from vidrep_pipelines.training.errors import Failure, TrainingFailedError, TrainingInterrupted
from vidrep_pipelines.training.interruption import Interruption, interrupted
from vidrep_pipelines.training.loop import run_training
from vidrep_pipelines.training.processes import Death, LocalProcesses
from vidrep_pipelines.training.result import TrainResult
from vidrep_pipelines.training.run_directory import RunDirectory
from vidrep_pipelines.training.run_record import RunRecord
from vidrep_pipelines.training.task import load_task
from vidrep_pipelines.training.worker import FAILURE_FILE, RESULT_FILE

_log = logging.getLogger(__name__)


def launch(spec: TrainSpec) -> TrainResult:
    """Trains as ``spec`` says, or returns at once when exactly this run is finished.

    With one process, training runs here, where a debugger works. With several, this process only starts
    them, waits, and restarts them from the last checkpoint when one dies.

    Raises:
        TrainingInterrupted: Ctrl-C, SIGTERM or SIGUSR1; a checkpoint is saved.
        TrainingFailedError: Processes died more often in a row than ``launch.retries`` permits.
        ConfigurationError: Another launcher started this process several times.
        VidrepError: What any training process raised.
    """
    _refuse_copies()
    spec = _without_idle_processes(spec)
    if spec.launch.processes == 1:
        return run_training(spec)
    directory, record = RunDirectory.of(spec), RunRecord.of(spec, load_task(spec))
    afresh = spec.train.resume == "never"
    finished = None if afresh else directory.finished(record)
    if finished is not None:
        _log.info("%s: training is up to date (%d updates)", finished.task, finished.step)
        return finished
    start = 0 if afresh else directory.latest_step(record)
    result = _with_retries(spec, directory, record)
    if result.status == "up to date":  # a former run that was finished is the current one again
        return result
    return result.model_copy(update={"resumed_from": start, "status": "resumed" if start else "trained"})


def _without_idle_processes(spec: TrainSpec) -> TrainSpec:
    """As many processes as an update has items, if more were asked for."""
    asked, useful = spec.launch.processes, spec.train.batch_size
    if asked <= useful:
        return spec
    _log.warning(
        "train.batch_size is %d: %d of %d processes would have no item.", useful, asked - useful, asked
    )
    return spec.model_copy(update={"launch": spec.launch.model_copy(update={"processes": useful})})


def _refuse_copies() -> None:
    """Copies of one pipeline would do the same work side by side and wait for each other's locks."""
    copies = os.environ.get("WORLD_SIZE", "1")
    if "TORCHELASTIC_RUN_ID" in os.environ and copies != "1":
        raise ConfigurationError(
            f"torchrun started this pipeline {copies} times. Start it once and set launch.processes to the "
            "number of devices, or let torchrun start vidrep_pipelines.training.worker (docs/scale.md)."
        )


def _with_retries(spec: TrainSpec, directory: RunDirectory, record: RunRecord) -> TrainResult:
    attempts_left, reached = spec.launch.retries, -1
    while True:
        try:
            return _launch_once(spec)
        except _StoppedError as stop:
            step = directory.latest_step(record)
            if step == 0:
                raise TrainingInterrupted(f"Training was stopped by {stop}; nothing was saved yet.") from None
            raise interrupted(str(stop), step, checkpoint_path(directory.checkpoints, step)) from None
        except _ProcessDiedError as death:
            step = directory.latest_step(record)
            attempts_left = spec.launch.retries if step > reached >= 0 else attempts_left
            if attempts_left == 0:
                raise TrainingFailedError(
                    f"{death} launch.retries = {spec.launch.retries} is used up; {step} updates are saved, "
                    f"and the same command continues from them.{death.traces}"
                ) from death
            attempts_left, reached = attempts_left - 1, step
            _log.warning("%s Starting again from update %d.", death, step)
            # What the first attempt began is to be continued, also when it was told to start from scratch.
            spec = spec.model_copy(update={"train": spec.train.model_copy(update={"resume": "auto"})})


class _ProcessDiedError(Exception):
    """A training process is gone for a reason that may not come back.

    Args:
        summary: One sentence.
        traces: What the processes reported.
    """

    def __init__(self, summary: str, traces: str = "") -> None:
        super().__init__(summary)
        self.traces = traces


class _StoppedError(Exception):
    """This process was asked to stop, by the signal that the text names, and the others did."""


def _launch_once(spec: TrainSpec) -> TrainResult:
    """Starts all processes once, and waits for their result."""
    folder = Path(tempfile.mkdtemp(prefix="vidrep-training-"))
    try:
        with Interruption() as interruption, LocalProcesses(spec, folder) as processes:
            death = processes.wait(lambda: interruption.requested)
        if death is not None:
            raise _reason(death, _failures(folder), interruption.received)
        return TrainResult.model_validate_json((folder / RESULT_FILE).read_text())
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _failures(folder: Path) -> list[Failure]:
    """What the processes reported, the first one first: the others' may be its consequences."""
    reports = [
        Failure.model_validate_json(path.read_text()) for path in folder.glob(FAILURE_FILE.format("*"))
    ]
    return sorted(reports, key=lambda report: report.at)


def _reason(death: Death, failures: list[Failure], stopped_by: str) -> Exception:
    """The first final report; if there is none, a process was killed or lost another one.

    Args:
        death: The first process that died.
        failures: All reports in the order of their time.
        stopped_by: The signal by which this process was asked to stop the others, if it was.
    """
    final = next((report.as_exception() for report in failures if not report.worth_retrying), None)
    if stopped_by and (final is None or isinstance(final, TrainingInterrupted)):
        return _StoppedError(stopped_by)
    if final is not None:
        return final
    if death.exit_code < 0 or not failures:
        return _ProcessDiedError(f"{death}.")
    first = failures[0]
    return _ProcessDiedError(f"Training process {first.rank} failed ({first.summary()}).", f"\n{first.trace}")
