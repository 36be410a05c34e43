"""Which episodes of a frame store behavior is cloned from, and what tells their instructions apart."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

import numpy as np

from vidrep_pipelines.common.arrays import SingleArray
from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.data.frame_store.store import FrameStore

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Demonstration:
    """One episode in which a task was done, seen by one camera.

    Attributes:
        view: Name of the view in the store.
        trajectory: Name of the episode, from which its world finds its layout.
        task: Which task.
        instruction: What was told.
        digest: Changes with all that is stored of it.
    """

    view: str
    trajectory: str
    task: str
    instruction: str
    digest: str


def choose_demonstrations(
    store: FrameStore,
    data_set: str,
    camera: int,
    most: int,
    tasks: Sequence[str] | None = None,
    most_of: Mapping[str, int] = MappingProxyType({}),
) -> dict[str, list[Demonstration]]:
    """The first demonstrations of each task in the split ``train``.

    Args:
        store: All episodes.
        data_set: Which of them are demonstrations: the ``robot`` of their views.
        camera: Number of the camera.
        most: How many of each task; one that has fewer is named in the log.
        tasks: Which tasks, in this order. None: all, sorted.
        most_of: Another number for single tasks.

    Raises:
        ConfigurationError: There are none, or none of a task.
    """
    table = store.table
    own = table[(table["robot"] == data_set) & (table["split"] == "train") & (table["camera"] == camera)]
    by_task: dict[str, list[Demonstration]] = {}
    for view, trajectory, shard in (
        own[["id", "trajectory", "shard"]].sort_values("id").itertuples(index=False)
    ):
        told = store.episode(view)
        if told.success is False or not told.segments or told.segments[0].task is None:
            continue
        digest = f"{store.facts.shards[shard]}/{view}"
        found = Demonstration(view, trajectory, told.segments[0].task, told.segments[0].text, digest)
        by_task.setdefault(found.task, []).append(found)
    _require_tasks(by_task, data_set, camera, tasks)
    wanted = {task: most_of.get(task, most) for task in (sorted(by_task) if tasks is None else tasks)}
    chosen = {task: by_task[task][:count] for task, count in wanted.items()}
    for task, episodes in chosen.items():
        if len(episodes) < wanted[task]:
            _log.warning("%s: there are %d demonstrations, not %d.", task, len(episodes), wanted[task])
    return chosen


def _require_tasks(
    by_task: dict[str, list[Demonstration]], data_set: str, camera: int, tasks: Sequence[str] | None
) -> None:
    if not by_task:
        raise ConfigurationError(
            f"There is no demonstration of {data_set} by camera {camera} in the split train. Remedy: see "
            "robot_demos.report.json for what was left out, and eval_robot.world."
        )
    if absent := [task for task in tasks or () if task not in by_task]:
        raise ConfigurationError(
            f"eval_robot.tasks names {absent[0]}, of which there is no demonstration; there are some of "
            f"{', '.join(sorted(by_task))}. Remedy: correct it, or name the task in robot_demos."
        )


def telling_words(demonstrations: Sequence[Demonstration]) -> tuple[str, ...]:
    """The words that some instructions have and others have not, sorted: none where all are told the same."""
    told = [set(one.instruction.split()) for one in demonstrations]
    return tuple(sorted(told[0].union(*told) - told[0].intersection(*told)))


def told_numbers(instruction: str, words: Sequence[str]) -> SingleArray:
    """(2 W,) which of the W words an instruction has, and where in it, 0..1; 0 for those that it has not.

    The place tells "the red cup on the blue box" from "the blue cup on the red box".
    """
    said = instruction.split()
    there = np.array([word in said for word in words], np.float32)
    places = [said.index(word) / max(len(said) - 1, 1) if word in said else 0.0 for word in words]
    return np.concatenate([there, np.array(places, np.float32)])


@lru_cache(maxsize=2)
def opened_store(folder: Path, digest: str) -> FrameStore:
    """A store that a worker process keeps open for all its items.

    Args:
        folder: The store.
        digest: Of its content, so that another one is not taken for it.
    """
    del digest  # part of the key
    return FrameStore(folder)
