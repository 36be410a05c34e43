"""Starts a training run: in this process, or in several that are restarted when one dies."""

import logging
import os
import shutil
import signal
import tempfile
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig as ElasticConfig
from torch.distributed.launcher.api import elastic_launch

from vidrep_pipelines.common.errors import VidrepError
from vidrep_pipelines.training.config import TrainSpec
from vidrep_pipelines.training.errors import TrainingFailedError, TrainingInterrupted
from vidrep_pipelines.training.loop import run_training
from vidrep_pipelines.training.result import TrainResult
from vidrep_pipelines.training.run_directory import RunDirectory
from vidrep_pipelines.training.run_record import RunRecord
from vidrep_pipelines.training.task import load_task
from vidrep_pipelines.training.worker import Failure, run_rank

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
_log = logging.getLogger(__name__)


def launch(spec: TrainSpec) -> TrainResult:
    """Trains as ``spec`` says, or returns at once when exactly this run is finished.

    With one process, training runs here, where a debugger works. With several, this process only starts
    them, waits, and restarts them from the last checkpoint when one dies.

    Raises:
        TrainingInterrupted: SIGTERM; a checkpoint is saved.
        TrainingFailedError: Processes died more often in a row than ``launch.retries`` permits.
        VidrepError: What any training process raised.
    """
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


def _with_retries(spec: TrainSpec, directory: RunDirectory, record: RunRecord) -> TrainResult:
    attempts_left, reached = spec.launch.retries, -1
    while True:
        try:
            return _launch_once(spec)
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


def _launch_once(spec: TrainSpec) -> TrainResult:
    """Starts all processes once.

    Torch's own restarts stay off: restarted ranks may dial a dead rank's address and wait for ever.
    """
    failures = Path(tempfile.mkdtemp(prefix="vidrep-training-"))
    config = ElasticConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=spec.launch.processes,
        run_id=uuid.uuid4().hex,
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        start_method="spawn",
        max_restarts=0,
    )
    try:
        with _quiet_launcher(), _restored_handlers():
            results = elastic_launch(config, run_rank)(spec.model_dump_json(), os.getpid(), str(failures))
        result: TrainResult = results[0]
        return result
    except ChildFailedError as error:
        raise _reason(error, failures) from None
    except SignalException as error:
        if error.sigval == signal.SIGINT:
            raise KeyboardInterrupt from None
        raise TrainingInterrupted(
            f"Training was stopped by {signal.Signals(error.sigval).name}. The same command continues "
            f"from the last checkpoint in {spec.run_directory}."
        ) from None
    finally:
        shutil.rmtree(failures, ignore_errors=True)


def _reason(error: ChildFailedError, folder: Path) -> Exception:
    """What the processes reported; if none reported anything final, one of them was killed."""
    reports = [Failure.model_validate_json(path.read_text()) for path in sorted(folder.glob("rank-*.json"))]
    for report in reports:
        if not report.worth_retrying:
            return _as_exception(report)
    rank, failure = error.get_first_failure()
    how = (
        f"was killed by {failure.signal_name()}"
        if failure.exitcode < 0
        else f"ended with code {failure.exitcode}"
    )
    if failure.exitcode >= 0 and reports:
        how += f" ({reports[0].error.partition(':')[2]}: {reports[0].message.splitlines()[0]})"
    return _ProcessDiedError(
        f"Training process {rank} {how}.", "".join(f"\n{report.trace}" for report in reports)
    )


def _as_exception(report: Failure) -> Exception:
    """Our own errors come back as they were; anything else is a fault in code, shown with its traceback."""
    module, _, name = report.error.partition(":")
    error_class = (
        getattr(import_module(module), name, None) if module.startswith("vidrep_pipelines") else None
    )
    if isinstance(error_class, type) and issubclass(error_class, VidrepError):
        return error_class(report.message)
    return TrainingFailedError(f"A training process failed:\n{report.trace}")


@contextmanager
def _quiet_launcher() -> Iterator[None]:
    """Torch's launcher reports every death at length; we report it ourselves, in one line."""
    reports, events = (
        logging.getLogger("torch.distributed.elastic"),
        logging.getLogger("torchelastic-events-null"),
    )
    before = reports.level, events.propagate
    reports.setLevel(logging.CRITICAL)
    events.propagate = False
    try:
        yield
    finally:
        reports.setLevel(before[0])
        events.propagate = before[1]


@contextmanager
def _restored_handlers() -> Iterator[None]:
    """Torch's launcher installs signal handlers and leaves them behind."""
    in_main_thread = threading.current_thread() is threading.main_thread()
    former = {number: signal.getsignal(number) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in former.items() if in_main_thread else ():
            signal.signal(number, handler)
