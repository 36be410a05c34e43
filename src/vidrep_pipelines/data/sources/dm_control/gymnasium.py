"""A task of the DeepMind Control Suite as an environment of Gymnasium (extra ``robots``)."""

from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.data.sources.dm_control.episodes import (
    ControlEnvironment,
    flat_observation,
    repeat_action,
)

State = NDArray[np.float32]


class ControlGymnasium(gymnasium.Env[State, NDArray[np.float32]]):  # type: ignore[misc, unused-ignore]
    """States in, actions in -1..1 out; no pictures.

    Args:
        environment: The task, which is seeded already.
        action_repeat: Control steps per action.
    """

    def __init__(self, environment: ControlEnvironment, action_repeat: int) -> None:
        self._environment, self._repeat = environment, action_repeat
        specification = environment.action_spec()
        self._low, self._high = specification.minimum, specification.maximum
        observation = environment.reset().observation
        self.observation = {name: int(np.size(value)) for name, value in observation.items()}
        states = (sum(self.observation.values()),)
        self.observation_space = gymnasium.spaces.Box(-np.inf, np.inf, states, np.float32)
        self.action_space = gymnasium.spaces.Box(-1, 1, specification.shape, np.float32)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[State, dict[str, Any]]:
        """Begins an episode; the start follows from the task's own seed."""
        del seed, options
        return flat_observation(self._environment.reset().observation), {}

    def step(self, action: NDArray[np.float32]) -> tuple[State, float, bool, bool, dict[str, Any]]:
        """State, reward, whether the episode ended for good, whether time was up, and nothing else."""
        stretched = self._low + (action.astype(np.float64) + 1) / 2 * (self._high - self._low)
        step, reward = repeat_action(self._environment, stretched, self._repeat)
        ended = step.last() and step.discount == 0
        return flat_observation(step.observation), reward, ended, step.last() and not ended, {}
