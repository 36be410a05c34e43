"""What a training run was started with, and how a folder shows which run is in it."""

import logging
from pathlib import Path
from typing import Any

from vidrep_pipelines.common.config import FrozenConfig
from vidrep_pipelines.common.digest import digest_of
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.training.checkpoint import list_checkpoints, read_state
from vidrep_pipelines.training.config import TrainSpec
from vidrep_pipelines.training.task import Task

CHECKPOINTS, LOG, RECORD, RESULT, REPORTS = (
    "checkpoints",
    "train_log.jsonl",
    "run.json",
    "result.json",
    "reports.json",
)
BEST = "best"
"""Folder of the weights that measured best, see :mod:`vidrep_pipelines.training.best`."""

PICTURES = "reports"
"""Folder of a run's pictures while the run is not the current one."""

RUN_PARTS = (CHECKPOINTS, BEST, LOG, RECORD, RESULT, REPORTS, PICTURES)
"""All that a run consists of. Other files beside them belong to whoever planned the run."""

_log = logging.getLogger(__name__)


class RunRecord(FrozenConfig):
    """What a run was started with (``run.json``)."""

    digest: str
    """Digest of ``identity``."""

    identity: dict[str, Any]
    """Everything that determines the weights."""

    @classmethod
    def of(cls, spec: TrainSpec, task: Task[Any]) -> "RunRecord":
        """The record of the run that ``spec`` asks for."""
        identity = {
            "task": task.name_in_digests,
            "system": task.identity(),
            "train": spec.train.identity(),
            "data": spec.data_digest,
        }
        return cls(digest=digest_of(identity), identity=identity)


def read_record(run: Path) -> RunRecord | None:
    """The record of the run in a folder; none if the folder does not show which run it is.

    When ``run.json`` is lost or damaged, the checkpoints tell the digest; ``identity`` is then empty.
    """
    if not run.is_dir():
        return None
    try:
        record = RunRecord.model_validate_json((run / RECORD).read_bytes())
        if record.digest == digest_of(record.identity):
            return record
        problem = "its digest is not that of its content"
    except (OSError, ValueError) as error:
        problem = str(error).splitlines()[0]
    digest = _digest_in_checkpoints(run / CHECKPOINTS)
    if digest is None:
        return None
    _log.warning("%s cannot be read (%s); the checkpoints say which run it is.", run / RECORD, problem)
    return RunRecord(digest=digest, identity={})


def _digest_in_checkpoints(folder: Path) -> str | None:
    for path in list_checkpoints(folder):
        try:
            return read_state(path).digest
        except InputError:
            continue
    return None


def is_finished(run: Path) -> bool:
    """Whether the last checkpoint in a run's folder is, by its own word, the last one of the run."""
    try:
        return read_state(list_checkpoints(run / CHECKPOINTS)[0]).finished
    except (IndexError, InputError):
        return False


def was_trained(run: Path) -> bool:
    """Whether there is anything in a run's folder that training wrote."""
    return (run / LOG).exists() or bool(list_checkpoints(run / CHECKPOINTS))
