"""The weights that measured best while training, kept beside the checkpoints.

A run's folder ``best`` has a folder for every score that is kept by, such as ``lowest_loss``. In it is one
checkpoint, without the optimizer's state, and with the score in ``score.json``.
"""

import json
import logging
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from vidrep_pipelines.common.atomic import remove_directory
from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.training import distributed
from vidrep_pipelines.training.checkpoint import (
    CheckpointState,
    checkpoint_path,
    gather_contents,
    list_checkpoints,
    read_state,
    verify_weights,
    write_contents,
)
from vidrep_pipelines.training.errors import CheckpointWriteError
from vidrep_pipelines.training.parts import TrainingParts

End = Literal["lowest", "highest"]
_SCORE_FILE = "score.json"
_log = logging.getLogger(__name__)


class BestWeights:
    """Keeps, for each of some scores, the weights that had the best one.

    A run that goes on after a kill compares with what it kept before, be it of an update after the checkpoint
    that it goes on from.

    Args:
        folder: The run's folder ``best``; it need not exist.
        keep: The better end of each score.
    """

    def __init__(self, folder: Path, keep: Mapping[str, End]) -> None:
        self._folder, self._keep = folder, dict(keep)

    def offer(self, scores: Mapping[str, float], parts: TrainingParts, state: CheckpointState) -> None:
        """Keeps the weights by every score that is better than before. Every process must call this.

        Args:
            scores: Measured on the main process; of the others' nothing is read.
            parts: What is trained.
            state: Where training is.

        Raises:
            ConfigurationError: On every process, if there is no score of a name that is kept by.
            CheckpointWriteError: On every process, when the main one could not write.
        """
        if not self._keep:
            return
        missing, better = distributed.from_main(
            self._compare(scores, state.digest) if distributed.is_main() else None
        )
        if missing:
            raise ConfigurationError(
                f"Weights are kept by {missing}, which is not measured. Remedy: keep by the scores of the "
                "training log whose names begin with probe/."
            )
        if not better:
            return
        contents = gather_contents(parts, with_optimizer=False)
        problem: str | None = None
        for name in better if distributed.is_main() else []:
            path = checkpoint_path(self._place(name), state.step)
            problem = problem or write_contents(path, contents, state, {_SCORE_FILE: {name: scores[name]}})
            if problem is None:
                _log.info("The %s %s so far: %.4g, kept in %s", self._keep[name], name, scores[name], path)
                for other in list_checkpoints(path.parent):
                    if other != path:
                        remove_directory(other)
        problem = distributed.from_main(problem)
        if problem:
            raise CheckpointWriteError(problem)

    def _compare(self, scores: Mapping[str, float], digest: str) -> tuple[list[str], list[str]]:
        """The names that were not measured, and those of which the score is better than what is kept."""
        missing = [name for name in self._keep if name not in scores]
        return missing, [
            name for name in self._keep if not missing and self._is_better(name, scores[name], digest)
        ]

    def _is_better(self, name: str, score: float, digest: str) -> bool:
        sign = 1 if self._keep[name] == "highest" else -1
        kept = [_score(path, name, digest) for path in list_checkpoints(self._place(name))]
        return math.isfinite(score) and all(
            sign * score > sign * value for value in kept if value is not None
        )

    def _place(self, name: str) -> Path:
        return best_folder(self._folder, name, self._keep[name])


def best_folder(folder: Path, name: str, end: End) -> Path:
    """Where the best weights by a score are, below the run's folder ``best``."""
    return folder / f"{end}_{name.replace('/', '_')}"


def best_checkpoint(folder: Path, name: str, end: End, digest: str) -> tuple[Path, CheckpointState]:
    """The checkpoint with the best score, its weights whole.

    Args:
        folder: The run's folder ``best``.
        name: The score.
        end: Which end of it is better.
        digest: The run's.

    Raises:
        InputError: None was kept, as the run was trained without this measurement, or it is damaged.
    """
    for path in list_checkpoints(best_folder(folder, name, end)):
        state = verify_weights(path)
        if state.digest == digest:
            return path, state
    raise InputError(
        f"No weights were kept by the {end} {name} below {folder}: the run was trained without this "
        "measurement. Remedy: publish the last weights, or train again by train.resume: never."
    )


def _score(path: Path, name: str, digest: str) -> float | None:
    """The score of what is kept; none where it is damaged or another run's, and may be replaced."""
    try:
        score = float(json.loads((path / _SCORE_FILE).read_text(encoding="utf-8"))[name])
        return score if read_state(path).digest == digest else None
    except (OSError, ValueError, KeyError, TypeError, InputError):
        return None
