"""Attempts kept whole: what was seen and done at every step, and what the policy imagined."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.common.arrays import FloatArray, Pixels
from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.evaluation.rollouts.engine import EpisodeRecord
from vidrep_pipelines.evaluation.rollouts.protocol import (
    ChunkPolicy,
    ImaginesVideo,
    Observation,
    PlanRequest,
)


@dataclass(frozen=True, eq=False)
class RecordedAttempt:
    """One attempt of N control steps.

    Attributes:
        record: Its row.
        pictures: By camera (N + 1, H, W, 3) uint8: before every step, and after the last.
        states: (N + 1, S) likewise.
        actions: (N, A) as they were executed.
        imagined: By the step of a plan the video (F, H, W, 3) uint8 that the policy imagined then; empty
            where it imagines none.
    """

    record: EpisodeRecord
    pictures: Mapping[str, Pixels]
    states: FloatArray
    actions: FloatArray
    imagined: Mapping[int, Pixels]


class AttemptRecorder:
    """Stands between the engine and a policy, and remembers attempts until they are asked for.

    It is the policy that the engine gets, and its :meth:`observe` is what watches the attempts
    (``RolloutRules.watch``). Pictures have to be rendered at every step (``render: always``).

    Args:
        policy: What is recorded. If it is one that :class:`ImaginesVideo`, it is asked at every plan.
    """

    def __init__(self, policy: ChunkPolicy) -> None:
        self._policy = policy
        self._seen: dict[str, dict[int, Observation]] = defaultdict(dict)
        self._plans: dict[str, dict[int, FloatArray]] = defaultdict(dict)
        self._imagined: dict[str, dict[int, Pixels]] = defaultdict(dict)

    @property
    def chunk_length(self) -> int:
        """That of the policy."""
        return self._policy.chunk_length

    def plan(self, requests: Sequence[PlanRequest]) -> FloatArray:
        """What the policy plans."""
        chunks = self._policy.plan(requests)
        for request, chunk in zip(requests, chunks, strict=True):
            self._plans[request.episode][request.step] = chunk
        if isinstance(self._policy, ImaginesVideo):
            for request, video in zip(requests, self._policy.imagine(requests), strict=True):
                self._imagined[request.episode][request.step] = video
        return chunks

    def observe(self, episode: str, step: int, observation: Observation) -> None:
        """Takes what there was to see before a step of an attempt, or after the last."""
        self._seen[episode][step] = observation

    def taken(self, record: EpisodeRecord) -> RecordedAttempt:
        """An attempt that has ended, which is forgotten here.

        Raises:
            ConfigurationError: It was not observed at every step.
        """
        seen = self._seen.pop(record.episode, {})
        if sorted(seen) != list(range(record.steps + 1)):
            raise ConfigurationError(
                f"{record.episode}: {len(seen)} of {record.steps + 1} steps were observed. Remedy: record "
                "with rollout.render: always."
            )
        views = [seen[step] for step in range(record.steps + 1)]
        return RecordedAttempt(
            record=record,
            pictures={name: np.stack([view.pictures[name] for view in views]) for name in views[0].pictures},
            states=np.stack([view.state for view in views]),
            actions=_executed(self._plans.pop(record.episode), record.steps),
            imagined=self._imagined.pop(record.episode, {}),
        )


def _executed(plans: Mapping[int, FloatArray], steps: int) -> FloatArray:
    """Of every chunk what was executed before the next one was planned."""
    begins = sorted(plans)
    ends = [*begins[1:], steps]
    return np.concatenate([plans[begin][: end - begin] for begin, end in zip(begins, ends, strict=True)])


_RECORDS = "records"


def save_attempts(path: Path, attempts: Sequence[RecordedAttempt]) -> None:
    """Writes attempts as a NumPy archive without objects, ``<number>/states`` and so on; see the loader."""
    arrays: dict[str, NDArray[Any]] = {
        _RECORDS: np.array(json.dumps([asdict(one.record) for one in attempts]))
    }
    for number, attempt in enumerate(attempts):
        arrays[f"{number}/states"], arrays[f"{number}/actions"] = attempt.states, attempt.actions
        for camera, pictures in attempt.pictures.items():
            arrays[f"{number}/pictures/{camera}"] = pictures
        for step, video in attempt.imagined.items():
            arrays[f"{number}/imagined/{step}"] = video
    with path.open("wb") as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]


def load_attempts(path: Path) -> list[RecordedAttempt]:
    """Reads what :func:`save_attempts` wrote.

    Raises:
        InputError: The file is missing or damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            records = json.loads(str(archive[_RECORDS]))
            return [
                _loaded(archive, number, EpisodeRecord(**record)) for number, record in enumerate(records)
            ]
    except (OSError, ValueError, KeyError, TypeError, BadZipFile) as error:
        raise InputError(f"{path} holds no recorded attempts ({error}). Remedy: run again.") from error


def _loaded(archive: Mapping[str, NDArray[Any]], number: int, record: EpisodeRecord) -> RecordedAttempt:
    def below(kind: str) -> dict[str, NDArray[Any]]:
        start = f"{number}/{kind}/"
        return {name.removeprefix(start): archive[name] for name in archive if name.startswith(start)}

    return RecordedAttempt(
        record=record,
        pictures=below("pictures"),
        states=archive[f"{number}/states"],
        actions=archive[f"{number}/actions"],
        imagined={int(step): video for step, video in below("imagined").items()},
    )
