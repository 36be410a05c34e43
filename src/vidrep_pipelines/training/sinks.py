"""Where metrics go: a log file always, MLflow if wanted."""

import json
import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pandas as pd

from vidrep_pipelines.common.atomic import atomic_file
from vidrep_pipelines.common.tracking_server import be_impatient, require_answer, safe_name, send_all
from vidrep_pipelines.common.uri import without_credentials, without_secrets_of
from vidrep_pipelines.training.config import TrackingTarget

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric

LogRow = Mapping[str, float]
"""One row of the log: ``step``, ``epoch``, ``time`` (Unix seconds) and metrics named ``group/name``."""

_SECONDS_BETWEEN_SENDS = 5.0
_METRICS_PER_CALL = 1000  # the protocol's limit
_NOT_METRICS = {"step", "time"}
_log = logging.getLogger(__name__)


class MetricSink(Protocol):
    """Receives rows and pictures while training runs."""

    def log(self, row: LogRow) -> None:
        """Takes one row."""

    def log_files(self, files: Sequence[Path]) -> None:
        """Takes files made at a checkpoint."""

    def close(self) -> None:
        """Sends what is left."""


class JsonLinesSink:
    """The training log, one JSON object per line, each on disk before training goes on.

    Args:
        path: The file. Rows after ``step`` are cut from it, so that a continued run logs every step once.
        step: Updates done before.
    """

    def __init__(self, path: Path, step: int = 0) -> None:
        rows = [row for row in read_rows(path) if row["step"] <= step]
        with atomic_file(path) as temporary:
            temporary.write_text("".join(json.dumps(row) + "\n" for row in rows))
        self._file = path.open("a")

    def log(self, row: LogRow) -> None:
        """Appends one line."""
        self._file.write(json.dumps(dict(row)) + "\n")
        self._file.flush()

    def log_files(self, files: Sequence[Path]) -> None:
        """Names the files in the program's log; they stay where they are."""
        for file in files:
            _log.info("made %s", file)

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


class MlflowSink:
    """Curves and pictures of an existing MLflow run.

    Rows are sent together every few seconds. When the server fails, one warning is given and nothing more is
    sent, because training matters more and the log file has everything.

    Args:
        target: Server and run.
        history: Rows logged before this process continued the training, so that the run shows all of it.
    """

    def __init__(self, target: TrackingTarget, history: Sequence[LogRow] = ()) -> None:
        self._target, self._rows = target, list[LogRow](history)
        self._client: MlflowClient | None = None
        self._failed, self._sent = False, time.monotonic()

    def log(self, row: LogRow) -> None:
        """Keeps the row and sends all kept ones now and then."""
        self._rows.append(row)
        if time.monotonic() - self._sent >= _SECONDS_BETWEEN_SENDS:
            self._send()

    def log_files(self, files: Sequence[Path]) -> None:
        """Uploads the files as artifacts."""
        self._try(partial(self._upload, files))

    def close(self) -> None:
        """Sends the kept rows."""
        self._send()

    def _send(self) -> None:
        rows, self._rows, self._sent = self._rows, [], time.monotonic()
        if rows and not self._failed:
            self._try(partial(self._send_metrics, rows))

    def _upload(self, files: Sequence[Path], client: "MlflowClient") -> None:
        for file in files:
            client.log_artifact(self._target.run_id, str(file), "pictures")

    def _send_metrics(self, rows: Sequence[LogRow], client: "MlflowClient") -> None:
        def send(batch: Sequence["Metric"]) -> None:
            client.log_batch(self._target.run_id, batch)

        metrics = [metric for row in rows for metric in _mlflow_metrics(row)]
        refused = send_all(send, metrics, _METRICS_PER_CALL)
        if refused and len(refused) == len(metrics):  # the run was deleted, perhaps
            raise ConnectionError(refused[0])
        for reason in refused:
            _log.warning("MLflow refused a part: %s", without_secrets_of(self._target.uri, reason))

    def _try(self, action: Callable[["MlflowClient"], None]) -> None:
        if self._failed:
            return
        try:
            action(self._connected())
        except Exception as error:  # whatever it is, it must not stop training
            self._failed = True
            _log.warning(
                "MLflow at %s failed (%s); curves go on in the log file only.",
                without_credentials(self._target.uri),
                without_secrets_of(self._target.uri, str(error)),
            )

    def _connected(self) -> "MlflowClient":
        if self._client is None:
            be_impatient()
            require_answer(self._target.uri)
            from mlflow import MlflowClient  # noqa: PLC0415 - takes seconds, and only some runs want it

            self._client = MlflowClient(tracking_uri=self._target.uri)
        return self._client


def send_log(target: TrackingTarget, path: Path) -> None:
    """Sends the curves of a finished training to an MLflow run."""
    MlflowSink(target, history=read_rows(path)).close()


def _mlflow_metrics(row: LogRow) -> list["Metric"]:
    from mlflow.entities import Metric  # noqa: PLC0415

    milliseconds, step = int(row.get("time", 0) * 1000), int(row["step"])
    return [
        Metric(safe_name(name), value, milliseconds, step)
        for name, value in row.items()
        if name not in _NOT_METRICS
    ]


def read_rows(path: Path) -> list[dict[str, float]]:
    """The rows of a training log; none if there is no file.

    A torn last line, which a kill leaves, is left out. Any other line that is no row is left out with one
    warning for all of them: the log is for people, and training goes on without it.
    """
    if not path.is_file():
        return []
    lines = path.read_bytes().split(b"\n")
    rows = [_row(line) for line in lines]
    damaged = [number for number, row in enumerate(rows[:-1], start=1) if row is None]
    if damaged:
        _log.warning(
            "%s: %d of %d lines are damaged (the first is line %d) and left out; the steps that they logged "
            "are missing from the curves.",
            *(path, len(damaged), len(lines) - 1, damaged[0]),
        )
    return [row for row in rows if row is not None]


def _row(line: bytes) -> dict[str, float] | None:
    """One line of the log, if it is what :class:`JsonLinesSink` writes."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):  # neither JSON nor text
        return None
    if not isinstance(row, dict) or "step" not in row:
        return None
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in row.values())
    return row if numbers and math.isfinite(row["step"]) and math.isfinite(row.get("time", 0)) else None


def read_log(path: Path) -> pd.DataFrame:
    """The training log as a table, one row per logged step, one column per metric."""
    return pd.DataFrame(read_rows(path))
