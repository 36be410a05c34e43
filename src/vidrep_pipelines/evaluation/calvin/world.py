"""CALVIN's environment as the evaluation sees it, whoever simulates it."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np

from vidrep_pipelines.common.arrays import FloatArray
from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.evaluation.calvin.initial_scene import (
    ROBOT_NUMBERS,
    SCENE_NUMBERS,
    initial_observations,
)
from vidrep_pipelines.evaluation.calvin.oracle import Info, SceneSnapshot, is_done
from vidrep_pipelines.evaluation.calvin.sequences import initial_states
from vidrep_pipelines.evaluation.calvin.tasks import CalvinTask, calvin_task, calvin_tasks
from vidrep_pipelines.evaluation.rollouts.protocol import EpisodeStart, Observation

CALVIN_CAMERAS = ("rgb_static", "rgb_gripper")
ACTION_NUMBERS = 7

Scene = tuple[FloatArray, FloatArray]
"""Numbers of robot (15,) and scene (24,)."""


class CalvinWorld(Protocol):
    """The simulator behind the adapter, or the miniature."""

    @property
    def renderer(self) -> str:
        """What makes the pictures."""

    def reset(self, robot_obs: FloatArray, scene_obs: FloatArray) -> None:
        """Puts robot (15,) and scene (24,) where the numbers say."""

    def get_obs(self, *, pictures: bool) -> Mapping[str, Any]:
        """``robot_obs``, ``scene_obs`` and, if asked for, ``rgb_static``, ``rgb_gripper`` (H, W, 3) uint8."""

    def step(self, action: FloatArray) -> None:
        """Executes a relative action (7,) for one control step of 1/30 s.

        Position in units of 0.02 m, Euler angles of 0.05 rad, gripper -1 (closed) or 1 (open).
        """

    def get_info(self) -> Info:
        """What success is told from."""

    def close(self) -> None:
        """Frees the simulator."""


class CalvinWorldMaker(Protocol):
    """Makes worlds in worker processes: a small picklable object."""

    @property
    def renderer(self) -> str:
        """What makes the pictures, known before anything is built."""

    @property
    def identity(self) -> Mapping[str, Any]:
        """All that its worlds' behavior depends on, as plain data, for digests."""

    def make(self) -> CalvinWorld:
        """A fresh world.

        Raises:
            ConfigurationError: It cannot be had here.
        """


class CalvinEnvironment:
    """A world in which one task after another is attempted.

    Args:
        world: The simulator.
        scenes: For :meth:`reset`, where an episode starts.
    """

    def __init__(self, world: CalvinWorld, scenes: Callable[[EpisodeStart], Scene] | None = None) -> None:
        self._world, self._scenes = world, scenes or scene_for_task
        self._task: CalvinTask | None = None
        self._start: SceneSnapshot | None = None

    @property
    def renderer(self) -> str:
        """See :class:`CalvinWorld`."""
        return self._world.renderer

    def place(self, robot: FloatArray, scene: FloatArray) -> None:
        """Puts everything where a sequence begins.

        Raises:
            InputError: These are not 15 and 24 numbers.
        """
        if robot.shape != (ROBOT_NUMBERS,) or scene.shape != (SCENE_NUMBERS,):
            raise InputError(
                f"CALVIN's robot and scene are 15 and 24 numbers, not {robot.shape} and {scene.shape}."
            )
        self._world.reset(robot, scene)

    def begin(self, task: CalvinTask) -> None:
        """From now on success is that of this task; nothing moves."""
        self._task, self._start = task, SceneSnapshot.of(self._world.get_info())

    def reset(self, start: EpisodeStart) -> None:
        """Begins an episode of one task.

        Raises:
            ConfigurationError: There is no such task, or no scene in which it can be begun.
        """
        self.place(*self._scenes(start))
        self.begin(calvin_task(start.task))

    def observe(self, *, pictures: bool) -> Observation:
        """Pictures by camera; the state is the robot's 15 numbers and the scene's 24.

        Policies that are to act on pictures must leave the scene's numbers alone.
        """
        seen = self._world.get_obs(pictures=pictures)
        shown = {camera: seen[camera] for camera in CALVIN_CAMERAS} if pictures else {}
        return Observation(shown, np.concatenate([seen["robot_obs"], seen["scene_obs"]]))

    def step(self, action: FloatArray) -> float:
        """Executes an action (7,); of the gripper's number only the sign counts: open above 0.

        Raises:
            InputError: It has another number of parts.
        """
        if action.shape != (ACTION_NUMBERS,):
            raise InputError(f"CALVIN's actions have 7 numbers, the policy's {action.shape}.")
        told = np.array(action, np.float64)
        told[-1] = 1.0 if told[-1] > 0 else -1.0
        self._world.step(told)
        return 0.0

    def succeeded(self) -> bool:
        """Whether the task is done."""
        assert self._task is not None and self._start is not None, "begin() comes first"
        return is_done(self._task, self._start, SceneSnapshot.of(self._world.get_info()))

    def close(self) -> None:
        """See :class:`CalvinWorld`."""
        self._world.close()


def scene_for_task(start: EpisodeStart) -> Scene:
    """A scene in which a task can be begun: of the benchmark's initial states one, by the start's seed.

    Raises:
        ConfigurationError: There is no such task, or no such state: a block would have to be held, stacked or
            in the drawer already.
    """
    task = calvin_task(start.task)
    fitting = [state for state in initial_states() if task.applied(state) is not None]
    if not fitting:
        raise ConfigurationError(
            f"{task.name} cannot be begun in any of the benchmark's initial states. Remedy: give scenes from "
            "recordings, or evaluate it within sequences."
        )
    return initial_observations(fitting[start.seed % len(fitting)])


def tasks_from_initial_states() -> list[CalvinTask]:
    """The tasks that :func:`scene_for_task` has scenes for, in the benchmark's order."""
    states = initial_states()
    return [task for task in calvin_tasks() if any(task.applied(state) is not None for state in states)]
