"""The folder of a training run: what was asked for, what is finished, what has to move aside."""

import json
import logging
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

from vidrep_pipelines.common.atomic import atomic_file, is_read_only, remove_leftovers
from vidrep_pipelines.common.config import FrozenConfig
from vidrep_pipelines.common.digest import differences, digest_of
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.common.locks import Locking, try_process_lock
from vidrep_pipelines.training.checkpoint import list_checkpoints, read_state
from vidrep_pipelines.training.config import TrainSpec
from vidrep_pipelines.training.result import TrainResult
from vidrep_pipelines.training.sinks import read_log
from vidrep_pipelines.training.task import Task

_LOCK_SECONDS = 60.0
_log = logging.getLogger(__name__)


class RunRecord(FrozenConfig):
    """What a run was started with (``run.json``)."""

    digest: str
    """Digest of ``identity``."""

    identity: dict[str, Any]
    """Everything that determines the weights."""

    @classmethod
    def of(cls, spec: TrainSpec, task: Task) -> "RunRecord":
        """The record of the run that ``spec`` asks for."""
        identity = {
            "task": spec.task,
            "system": task.identity(),
            "train": spec.train.identity(),
            "data": spec.data_digest,
        }
        return cls(digest=digest_of(identity), identity=identity)


class RunDirectory:
    """Names and bookkeeping inside ``spec.run_directory``.

    Args:
        path: The folder; it need not exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.checkpoints, self.log = path / "checkpoints", path / "train_log.jsonl"
        self._record, self._result, self._reports = (
            path / "run.json",
            path / "result.json",
            path / "reports.json",
        )

    def finished(self, record: RunRecord) -> TrainResult | None:
        """The result, if exactly this run is finished and its last checkpoint is still complete."""
        try:
            result = TrainResult.model_validate_json(self._result.read_text())
            newest = list_checkpoints(self.checkpoints)[0]
            state = read_state(newest)
        except (OSError, ValueError, IndexError, InputError):
            return None
        if not (result.digest == state.digest == record.digest and state.finished):
            return None
        paths = {"run_directory": self.path, "checkpoint": newest, "log": self.log}
        return result.model_copy(update={**paths, "status": "up to date", "resumed_from": state.step})

    def prepare(self, record: RunRecord, *, afresh: bool = False) -> None:
        """Makes the folder ready to start or continue the run; another run in it moves aside."""
        former = self._former_record()
        if afresh or (former is None and self.checkpoints.exists()):
            self._move_aside(former)
        elif former is not None and former.digest != record.digest:
            changes = "\n  ".join(differences(former.identity, record.identity))
            _log.info("Training anew, because this changed since the last run:\n  %s", changes)
            self._move_aside(former)
        remove_leftovers(self.path)
        with atomic_file(self._record) as temporary:
            temporary.write_text(record.model_dump_json(indent=1))

    def latest_step(self, record: RunRecord) -> int:
        """Updates saved so far by this very run, by the names of its checkpoints."""
        former = self._former_record()
        paths = list_checkpoints(self.checkpoints) if former and former.digest == record.digest else []
        return int(paths[0].name.removeprefix("step-")) if paths else 0

    def add_reports(self, files: Sequence[Path]) -> None:
        """Notes files that the task made, so that they can move aside with the run."""
        names = list(dict.fromkeys([*map(str, self.reports()), *map(str, files)]))
        with atomic_file(self._reports) as temporary:
            temporary.write_text(json.dumps(names, indent=1))

    def reports(self) -> list[Path]:
        """The noted files."""
        return (
            [Path(name) for name in json.loads(self._reports.read_text())] if self._reports.is_file() else []
        )

    def write_result(self, result: TrainResult) -> TrainResult:
        """Adds the pictures and the log's summary to ``result`` and marks the run as finished."""
        first, last = _summary(read_log(self.log))
        complete = result.model_copy(update={"first": first, "last": last, "reports": tuple(self.reports())})
        with atomic_file(self._result) as temporary:
            temporary.write_text(complete.model_dump_json(indent=1))
        return complete

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

    def _former_record(self) -> RunRecord | None:
        try:
            return RunRecord.model_validate_json(self._record.read_text())
        except (OSError, ValueError):
            return None

    def _move_aside(self, former: RunRecord | None) -> None:
        """Keeps the replaced run as ``../previous/<digest>``, and only that one."""
        previous = self.path.parent / "previous"
        shutil.rmtree(previous, ignore_errors=True)
        target = previous / (former.digest if former else "unknown")
        (target / "reports").mkdir(parents=True)
        for report in self.reports():
            if report.exists():
                shutil.move(report, target / "reports" / report.name)
        for part in (self.checkpoints, self.log, self._result, self._reports, self._record):
            if part.exists():
                shutil.move(part, target / part.name)
        _log.info("The former run is kept in %s", target)


def _summary(log: pd.DataFrame) -> tuple[dict[str, float], dict[str, float]]:
    """Mean of the ``train/...`` columns over the first and over the last tenth of each one's rows.

    Metrics that are not computed in every step have fewer rows, perhaps none.
    """
    metrics = {name: log[name].dropna() for name in log.columns if name.startswith("train/")}
    counts = {name: max(1, len(values) // 10) for name, values in metrics.items() if len(values)}
    first = {name: float(metrics[name].head(count).mean()) for name, count in counts.items()}
    last = {name: float(metrics[name].tail(count).mean()) for name, count in counts.items()}
    return first, last
