"""Episodes to replay before a policy is scored: from CALVIN's files, or by the miniature's expert."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.common.arrays import FloatArray
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.common.npz import read_npz
from vidrep_pipelines.data.sources.calvin.episodes import CalvinEpisode
from vidrep_pipelines.evaluation.calvin.initial_scene import ROBOT_NUMBERS, SCENE_NUMBERS
from vidrep_pipelines.evaluation.calvin.miniature_expert import script_for_task
from vidrep_pipelines.evaluation.calvin.tasks import CalvinTask, calvin_task
from vidrep_pipelines.evaluation.calvin.world import ACTION_NUMBERS, Scene, scene_for_task
from vidrep_pipelines.evaluation.rollouts.protocol import EpisodeStart
from vidrep_pipelines.evaluation.rollouts.replay import RecordedEpisode


@dataclass(frozen=True, eq=False)
class CalvinRecordings:
    """Episodes in which a task was done, and where each began.

    Attributes:
        episodes: Starts and actions.
        scenes: Robot and scene at the start, by the episode's name.
    """

    episodes: tuple[RecordedEpisode, ...]
    scenes: Mapping[str, Scene]

    def scene_of(self, start: EpisodeStart) -> Scene:
        """Where an episode began."""
        return self.scenes[start.name]


def recordings_from_files(episodes: Sequence[CalvinEpisode]) -> CalvinRecordings:
    """Annotated stretches of the data set: their relative actions, and the scene of their first step.

    Args:
        episodes: One task each, with the benchmark's name of it.

    Raises:
        InputError: A file is missing or damaged, or an episode has no task.
        ConfigurationError: CALVIN has no such task.
    """
    read = [_read(episode) for episode in episodes]
    scenes = {recorded.start.name: scene for recorded, scene in read}
    return CalvinRecordings(tuple(recorded for recorded, _ in read), scenes)


def _read(episode: CalvinEpisode) -> tuple[RecordedEpisode, Scene]:
    name = episode.trajectory
    if len(episode.annotations) != 1 or not episode.annotations[0].task:
        raise InputError(f"{name}: it does not say which task is done. Remedy: read annotated episodes.")
    told = episode.annotations[0]
    steps = [
        read_npz(episode.folder / f"episode_{step:0{episode.digits}d}.npz", _MEMBERS, "time step of CALVIN")
        for step in range(episode.first, episode.last + 1)
    ]
    actions = np.stack([_numbers(step, "rel_actions", ACTION_NUMBERS, name) for step in steps])
    start = EpisodeStart(name, calvin_task(told.task).name, told.text)
    robot = _numbers(steps[0], "robot_obs", ROBOT_NUMBERS, name)
    return RecordedEpisode(start, actions), (robot, _numbers(steps[0], "scene_obs", SCENE_NUMBERS, name))


_MEMBERS = ("rel_actions", "robot_obs", "scene_obs")


def _numbers(step: Mapping[str, NDArray[np.generic]], name: str, count: int, episode: str) -> FloatArray:
    values = step.get(name)
    if values is None or values.shape != (count,) or values.dtype.kind not in "iuf":
        raise InputError(
            f"{episode}: a time step has no {name} of {count} numbers. Remedy: a folder of CALVIN's."
        )
    numbers: FloatArray = values.astype(np.float64)
    return numbers


def expert_recordings(tasks: Sequence[CalvinTask], seeds: Sequence[int] = (0,)) -> CalvinRecordings:
    """What the miniature's expert does, task after task, from the benchmark's initial states.

    Args:
        tasks: Those that can be begun there.
        seeds: Of the states.

    Raises:
        ConfigurationError: A task cannot be begun there.
    """
    starts = [
        EpisodeStart(f"{task.name}/{seed}", task.name, task.instruction, seed)
        for task in tasks
        for seed in seeds
    ]
    scenes = {start.name: scene_for_task(start) for start in starts}
    episodes = tuple(
        RecordedEpisode(start, script_for_task(start.task, np.concatenate(scenes[start.name])))
        for start in starts
    )
    return CalvinRecordings(episodes, scenes)
