"""One of the suite's tasks at a time, simulated, scored and filmed (extra ``robots``)."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from vidrep_pipelines.common.arrays import FloatArray, Pixels
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.sources.dm_control.demonstration_config import DmcEpisodesConfig, DmcTask
from vidrep_pipelines.data.sources.dm_control.episodes import (
    Observation,
    load_environment,
    repeat_action,
    scene_picture,
)

DMC_ACTION_SIZE = 2
"""Numbers of an action in -1..1. A task with one actuator reads the first."""

DMC_STATE_SIZE = 5
"""Numbers of what is felt: places of joints, then velocities, then zeros: all tasks fit into one store."""

DMC_EXACT_SIZE = 6
"""Numbers of all that the suite tells, behind them zeros."""

DMC_CAMERA, DMC_CAMERA_NUMBER = "fixed", 0
"""The suite's first camera of these tasks."""

_FELT = ("position", "velocity")


class DmcSimulator:
    """One start of a task after another.

    Args:
        task: Its name.
        config: Length and score of episodes, and how they are filmed.

    Raises:
        MissingExtraError: dm_control is not installed.
        ConfigurationError: There is nothing to render with.
    """

    def __init__(self, task: DmcTask, config: DmcEpisodesConfig) -> None:
        self.task, self._config = task, config
        domain, _, name = task.partition("-")
        self._environment: Any = load_environment(domain, name, seed=0)
        if config.pictures.quality == "fast":  # takes effect before the first picture only
            self._environment.physics.model.vis.quality.offsamples = 0
        self._actuators = int(self._environment.action_spec().shape[0])
        self._observed: Observation | None = None
        self._done, self._reward = 0, 0.0

    def reset(self, seed: int) -> None:
        """Begins an episode at the start of that seed, in 0..2**32 - 1."""
        self._environment.task.random.seed(seed)
        self._observed = self._environment.reset().observation
        self._done, self._reward = 0, 0.0

    @property
    def _told(self) -> Observation:
        if self._observed is None:
            raise InputError("DM Control: no episode has begun; call reset first")
        return self._observed

    @property
    def observation(self) -> FloatArray:
        """(S,) all that the suite tells: what controllers see.

        Raises:
            InputError: No episode has begun.
        """
        return _flat(self._told, list(self._told))

    @property
    def state(self) -> FloatArray:
        """(5,) places and velocities of the joints; nothing of a target."""
        return _filled_up(_flat(self._told, _FELT), DMC_STATE_SIZE)

    @property
    def exact_state(self) -> FloatArray:
        """(6,) the observation."""
        return _filled_up(self.observation, DMC_EXACT_SIZE)

    @property
    def over(self) -> bool:
        """Whether the episode has ended."""
        return self._done == self._config.episode_actions

    @property
    def score(self) -> float:
        """Return so far over the longest possible one of a whole episode, 0..1."""
        return self._reward / self._config.control_steps

    @property
    def succeeded(self) -> bool:
        """Whether the episode is over with a score that is high enough."""
        return self.over and self.score >= self._config.success_score

    def step(self, action: FloatArray) -> float:
        """Executes (2,), cut to -1..1, for ``action_repeat`` control steps; returns their rewards' sum.

        Raises:
            InputError: The action is not two finite numbers, no episode has begun, or it is over.
        """
        action = np.asarray(action, np.float64)
        if not self._told or action.shape != (DMC_ACTION_SIZE,) or not np.isfinite(action).all():
            raise InputError(f"DM Control: an action is {DMC_ACTION_SIZE} finite numbers, not {action!r}.")
        if self.over:
            raise InputError(
                f"DM Control: the episode is over after {self._done} actions. Remedy: lower most_steps."
            )
        executed = np.clip(action[: self._actuators], -1, 1)
        told, reward = repeat_action(self._environment, executed, self._config.action_repeat)
        self._observed, self._done, self._reward = told.observation, self._done + 1, self._reward + reward
        return reward

    def pictures(self) -> dict[str, Pixels]:
        """What the camera sees now, (H, W, 3) uint8 by its name.

        Raises:
            ConfigurationError: There is nothing to render with.
        """
        told = self._config.pictures
        return {
            DMC_CAMERA: scene_picture(self._environment, told.height, told.width, DMC_CAMERA, told.quality)
        }

    def close(self) -> None:
        """Frees what it renders with. It is not used again."""
        self._environment.physics.free()


def _flat(observation: Observation, names: Sequence[str]) -> FloatArray:
    return np.concatenate([np.ravel(observation[name]) for name in names]).astype(np.float64)


def _filled_up(numbers: FloatArray, size: int) -> FloatArray:
    return np.concatenate([numbers, np.zeros(size - len(numbers))])
