"""DM Control as a world where it is not installed, and whether it is."""

import os
import sys
import zlib
from ctypes.util import find_library
from importlib.util import find_spec

import numpy as np
import pytest

from vidrep_pipelines.common.arrays import FloatArray, Pixels
from vidrep_pipelines.data.sources.dm_control import demonstrations
from vidrep_pipelines.data.sources.dm_control.demonstration_config import DmcEpisodesConfig, DmcTask
from vidrep_pipelines.evaluation.rollouts import dmc as dmc_rollouts

needs_dmc = pytest.mark.skipif(
    find_spec("dm_control") is None,
    reason="dm_control is not installed: pip install --editable '.[robots]'",
)
needs_rendering = pytest.mark.skipif(
    "MUJOCO_GL" not in os.environ and not any(find_library(name) for name in ("EGL", "OSMesa")),
    reason="there is nothing to render with: apt-get install libegl1 libegl-mesa0 libgl1-mesa-dri",
)

HARD_SEEDS = 4
"""From a start whose seed is a multiple of it, the fake task earns nothing."""


class FakeDmcSimulator:
    """A finger that has to come near a place that follows from task and seed; both are in its pictures."""

    def __init__(self, task: DmcTask, config: DmcEpisodesConfig) -> None:
        self.task, self._config = task, config
        self._place, self._target, self._hard = np.zeros(2), np.zeros(2), False
        self._done, self._reward, self.closed = 0, 0.0, False

    def reset(self, seed: int) -> None:
        rng = np.random.default_rng([zlib.crc32(self.task.encode()), seed])
        self._target = np.sign(rng.uniform(-1, 1, 2)) * rng.uniform(0.3, 0.9, 2)
        self._place, self._hard = np.zeros(2), seed % HARD_SEEDS == 0
        self._done, self._reward = 0, 0.0

    @property
    def observation(self) -> FloatArray:
        return np.concatenate([self._place, self._target - self._place])

    @property
    def state(self) -> FloatArray:
        return np.concatenate([self._place, np.zeros(3)])

    @property
    def exact_state(self) -> FloatArray:
        return np.concatenate([self.observation, np.zeros(2)])

    @property
    def over(self) -> bool:
        return self._done == self._config.episode_actions

    @property
    def score(self) -> float:
        return self._reward / self._config.control_steps

    @property
    def succeeded(self) -> bool:
        return self.over and self.score >= self._config.success_score

    def step(self, action: FloatArray) -> float:
        assert not self.over and action.shape == (2,)
        self._place = self._place + 0.4 * np.clip(action, -1, 1)
        near = not self._hard and bool(np.abs(self._target - self._place).max() < 0.05)
        reward = float(near * self._config.action_repeat)
        self._done, self._reward = self._done + 1, self._reward + reward
        return reward

    def pictures(self) -> dict[str, Pixels]:
        height, width = self._config.pictures.height, self._config.pictures.width
        picture = np.random.default_rng(0).integers(0, 120, (height, width, 3), np.uint8)
        for place, channel in ((self._target, 0), (self._place, 1)):
            top, left = (int((0.5 + 0.4 * np.clip(place[axis], -1, 1)) * height) for axis in (1, 0))
            picture[top : top + height // 8, left : left + width // 8, channel] = 255
        return {"fixed": picture}

    def close(self) -> None:
        self.closed = True


def fake_controller(task: DmcTask, observation: FloatArray) -> FloatArray:
    """Straight to the place."""
    del task
    return np.clip(2.5 * observation[2:], -1, 1)


def use_fake_dmc(monkeypatch: pytest.MonkeyPatch) -> None:
    """Puts the fake in place of the suite, in this process."""
    monkeypatch.setattr(demonstrations, "DmcSimulator", FakeDmcSimulator)
    monkeypatch.setattr(demonstrations, "controller_action", fake_controller)
    monkeypatch.setattr(dmc_rollouts, "DmcSimulator", FakeDmcSimulator)


def without_dmc(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes imports of the suite fail, whether it is installed or not."""
    for name in ("dm_control", "dm_control.suite"):
        monkeypatch.setitem(sys.modules, name, None)
