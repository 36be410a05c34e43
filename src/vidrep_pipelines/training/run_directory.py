"""The folder of a training run: what was asked for, what is finished, what makes place for another."""

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from vidrep_pipelines.common.atomic import atomic_file, is_read_only, remove_leftovers
from vidrep_pipelines.common.digest import differences
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.common.locks import Locking, try_process_lock
from vidrep_pipelines.training.checkpoint import checkpoint_path, list_checkpoints, verify_weights
from vidrep_pipelines.training.config import TrainSpec
from vidrep_pipelines.training.former_runs import FormerRuns, write_record
from vidrep_pipelines.training.report_files import ReportFiles
from vidrep_pipelines.training.result import TrainResult
from vidrep_pipelines.training.run_record import (
    BEST,
    CHECKPOINTS,
    LOG,
    RESULT,
    RunRecord,
    is_finished,
    read_record,
    was_trained,
)
from vidrep_pipelines.training.sinks import read_log

_LOCK_SECONDS = 60.0
_log = logging.getLogger(__name__)


class RunDirectory:
    """Names and bookkeeping inside ``spec.run_directory``.

    Args:
        path: The folder; it need not exist.
        report_directory: Where the pictures of the current run lie.
        keep_former_runs: How many replaced runs stay on disk.
    """

    def __init__(self, path: Path, report_directory: Path, keep_former_runs: int) -> None:
        self.path = path
        self.checkpoints, self.best, self.log = path / CHECKPOINTS, path / BEST, path / LOG
        self._result, self._keep = path / RESULT, keep_former_runs
        self._report_directory = report_directory
        self._reports = ReportFiles(path, report_directory)
        self._former = FormerRuns(path)

    @classmethod
    def of(cls, spec: TrainSpec) -> "RunDirectory":
        """The folder in which ``spec`` is trained."""
        return cls(spec.run_directory, spec.report_directory, spec.train.keep_former_runs)

    def finished(self, record: RunRecord) -> TrainResult | None:
        """The result, if exactly this run is finished and the weights of its last checkpoint are whole.

        Writes nothing. The paths in the result are those of this folder, wherever it was when it was written.
        """
        try:
            result = TrainResult.model_validate_json(self._result.read_bytes())
            newest = list_checkpoints(self.checkpoints)[0]
            if self._reports.waiting or result.digest != record.digest:
                return None
            state = verify_weights(newest)
        except (OSError, ValueError, IndexError, InputError):
            return None
        if not (state.digest == record.digest and state.finished):
            return None
        paths = {"run_directory": self.path, "checkpoint": newest, "log": self.log, "reports": self.reports()}
        return result.model_copy(update={**paths, "status": "up to date", "resumed_from": state.step})

    def restore(self, record: RunRecord) -> TrainResult | None:
        """The same, also when the run is a former one, which then becomes the current one again.

        Only for the holder of the lock, as what follows. Completes what a kill interrupted.
        """
        self._heal()
        wanted = self._former.find(record.digest)
        here = read_record(self.path)
        if (here is None or here.digest != record.digest) and wanted is not None and is_finished(wanted):
            self._switch(here, wanted)
        elif here is not None and here.digest == record.digest and not here.identity:
            write_record(self.path, record)  # it was damaged
        return self.finished(record)

    def prepare(self, record: RunRecord, *, afresh: bool = False) -> None:
        """Makes the folder ready to start or continue the run; another run in it becomes a former one."""
        self._heal()
        here = read_record(self.path)
        if afresh or here is None or here.digest != record.digest:
            wanted = None if afresh else self._former.find(record.digest)
            if wanted is not None or was_trained(self.path):
                _say_why(here, record)
                self._switch(here, wanted or record)
        write_record(self.path, record)

    def latest_step(self, record: RunRecord) -> int:
        """Updates saved so far by this very run, by the names of its checkpoints."""
        here = read_record(self.path)
        run = self.path if here and here.digest == record.digest else self._former.find(record.digest)
        paths = [] if run is None else list_checkpoints(run / CHECKPOINTS)
        return int(paths[0].name.removeprefix("step-")) if paths else 0

    def kept_steps(self) -> list[int]:
        """After how many updates there are checkpoints on disk, by their names, rising."""
        return sorted(int(path.name.removeprefix("step-")) for path in list_checkpoints(self.checkpoints))

    def kept(self, digest: str, step: int) -> Path | None:
        """The checkpoint after ``step`` updates of the run with this digest; None if it is not here.

        Raises:
            InputError: It is damaged.
        """
        path = checkpoint_path(self.checkpoints, step)
        return path if path.is_dir() and verify_weights(path).digest == digest else None

    def add_reports(self, files: Sequence[Path]) -> None:
        """Notes files that the task made in the report folder: they belong to this run."""
        self._reports.add(files)

    def reports(self) -> tuple[Path, ...]:
        """The noted files."""
        return tuple(self._reports.paths())

    def write_result(self, result: TrainResult) -> TrainResult:
        """Adds the pictures and the log's summary to ``result`` and marks the run as finished."""
        first, last = _summary(read_log(self.log))
        complete = result.model_copy(update={"first": first, "last": last, "reports": self.reports()})
        with atomic_file(self._result) as temporary:
            temporary.write_text(self._portable(complete).model_dump_json(indent=1))
        return complete

    def _portable(self, result: TrainResult) -> TrainResult:
        """The result with paths relative to the run's and the report folder, both of which may be moved."""
        names = [path.relative_to(self._report_directory) for path in result.reports]
        checkpoint, log = (path.relative_to(self.path) for path in (result.checkpoint, result.log))
        paths = {"run_directory": Path(), "checkpoint": checkpoint, "log": log, "reports": tuple(names)}
        return result.model_copy(update=paths)

    def _heal(self) -> None:
        """Completes what a kill interrupted, whatever it was."""
        remove_leftovers(self.path)
        self._former.tidy()
        self._reports.put_back()
        for run in self._former.paths():
            self._reports_of(run).take_away(self._reports)

    def _switch(self, here: RunRecord | None, wanted: Path | RunRecord) -> None:
        self._reports.keep()
        former = self._former.switch(here, wanted)
        self._reports_of(former).take_away(self._reports)
        self._reports.put_back()
        self._former.tidy()
        if former.is_dir():
            self._former.say_kept(former)
        if isinstance(wanted, Path):
            _log.info("Brought back the run that was trained with these parameters before.")
        self._former.drop(self._keep)

    def _reports_of(self, run: Path) -> ReportFiles:
        return ReportFiles(run, self._report_directory)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keeps a second run out, and waits for the last gasp of a killed run's orphans.

        Raises:
            InputError: Another process is still training here after a minute.
        """
        if is_read_only(self.path):  # nobody trains there; a finished run can be used all the same
            yield
            return
        self.path.mkdir(parents=True, exist_ok=True)
        path = self.path.parent / f".{self.path.name}.lock"
        with path.open("w") as file:
            deadline = time.monotonic() + _LOCK_SECONDS
            while try_process_lock(file.fileno(), path) is Locking.TAKEN:
                if time.monotonic() > deadline:
                    raise InputError(f"Another process is training in {self.path}. Wait for it, or stop it.")
                time.sleep(0.2)
            yield


def _say_why(here: RunRecord | None, record: RunRecord) -> None:
    if here is not None and here.identity:
        changes = "\n  ".join(differences(here.identity, record.identity))
        _log.info("This changed since the last run:\n  %s", changes or "train.resume: never")


def _summary(log: pd.DataFrame) -> tuple[dict[str, float], dict[str, float]]:
    """Mean of the ``train/...`` columns over the first and over the last tenth of each one's rows.

    Metrics that are not computed in every step have fewer rows, perhaps none.
    """
    metrics = {name: log[name].dropna() for name in log.columns if name.startswith("train/")}
    counts = {name: max(1, len(values) // 10) for name, values in metrics.items() if len(values)}
    first = {name: float(metrics[name].head(count).mean()) for name, count in counts.items()}
    last = {name: float(metrics[name].tail(count).mean()) for name, count in counts.items()}
    return first, last
