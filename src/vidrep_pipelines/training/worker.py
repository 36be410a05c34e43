"""A training process that a launcher started.

On several machines, run on each of them::

    torchrun --nnodes=2 --nproc-per-node=8 --rdzv-backend=c10d --rdzv-endpoint=HOST:29500
        -m vidrep_pipelines.training.worker spec.json

where ``spec.json`` is :class:`TrainSpec` as JSON on a file system that all of them share.
"""

import argparse
import json
import logging
import multiprocessing
import os
import time
from pathlib import Path
from typing import NoReturn

from vidrep_pipelines.common.atomic import atomic_file
from vidrep_pipelines.common.config import FrozenConfig
from vidrep_pipelines.common.errors import ConfigurationError, InputError, VidrepError
from vidrep_pipelines.common.lifeline import die_with_parent
from vidrep_pipelines.common.portable_paths import resolved
from vidrep_pipelines.training.config import TrainSpec
from vidrep_pipelines.training.errors import Failure, LauncherLostError, TrainingInterrupted
from vidrep_pipelines.training.loop import run_training
from vidrep_pipelines.training.place import ALONE, Place

INTERRUPTED_EXIT_CODE = 143
"""128 + SIGTERM, what a shell reports for a process that ended by SIGTERM."""

_SECONDS_FOR_THE_FIRST_DEATH = 0.5
"""A process that ends because another one died lets the launcher see that one first."""


RESULT_FILE = "result.json"
"""Name of the file in the launcher's folder that says what the main process returned."""

FAILURE_FILE = "failure-{}.json"
"""Name of the file in the launcher's folder that says why the process of that rank failed."""


def run_rank(spec_json: str, place: Place, folder: str) -> None:
    """Entry point of a process started by :func:`vidrep_pipelines.training.launch.launch`.

    Args:
        spec_json: The spec.
        place: Which of the processes this one is.
        folder: Receives the main process's result, or why this process failed.
    """
    die_with_parent()
    place.take()
    _configure_logging(place)
    try:
        result = run_training(TrainSpec.model_validate_json(spec_json), place, os.getppid())
    except (KeyboardInterrupt, LauncherLostError):
        _leave(1)
    except Exception as error:
        failure = Failure.of(error, place.rank)
        _write(Path(folder) / FAILURE_FILE.format(place.rank), failure)
        if failure.worth_retrying:
            time.sleep(_SECONDS_FOR_THE_FIRST_DEATH)
        _leave(INTERRUPTED_EXIT_CODE if isinstance(error, TrainingInterrupted) else 1)
    if place.rank == 0:
        _write(Path(folder) / RESULT_FILE, result)


def _write(path: Path, report: FrozenConfig) -> None:
    with atomic_file(path) as temporary:
        temporary.write_text(report.model_dump_json())


def _leave(code: int) -> NoReturn:
    """Ends the process at once.

    Torch's process groups may wait for ever in their destructors once a peer is gone.
    """
    logging.shutdown()
    for loader_worker in multiprocessing.active_children():
        loader_worker.kill()
    os._exit(code)


def main(arguments: list[str] | None = None) -> int:
    """Entry point under ``torchrun``; returns the exit code, 143 after a requested stop."""
    parser = argparse.ArgumentParser(prog="python -m vidrep_pipelines.training.worker", description=__doc__)
    parser.add_argument("spec", type=Path, help="TrainSpec as JSON")
    path = parser.parse_args(arguments).spec
    log = logging.getLogger("vidrep_pipelines.training.worker")  # __name__ is "__main__" under torchrun
    _configure_logging(ALONE)
    try:
        place = Place.from_environment(os.environ)
        _configure_logging(place)
        result = run_training(_read_spec(path), place, _launcher_pid())
    except TrainingInterrupted as error:
        log.warning("%s", error)
        return INTERRUPTED_EXIT_CODE
    except VidrepError as error:
        log.error("%s: %s", type(error).__name__, error)
        return 1
    except Exception:
        log.exception("Training failed.")
        return 1
    log.info("%s: %s, %s", result.task, result.status, result.checkpoint)
    return 0


def _read_spec(path: Path) -> TrainSpec:
    try:
        spec = TrainSpec.model_validate(resolved(json.loads(path.read_text()), path.parent))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    except ValueError as error:
        raise ConfigurationError(f"{path} is no training spec: {error}") from error
    if int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")) > 0:  # continue what the first attempt began
        return spec.model_copy(update={"train": spec.train.model_copy(update={"resume": "auto"})})
    return spec


def _launcher_pid() -> int | None:
    return os.getppid() if "TORCHELASTIC_RUN_ID" in os.environ else None


def _configure_logging(place: Place) -> None:
    """The main process's messages; the others only warn."""
    level = logging.INFO if place.rank == 0 else logging.WARNING
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("vidrep_pipelines").setLevel(level)


if __name__ == "__main__":
    _leave(main())
