"""MetaWorld where it is not installed, and whether it is."""

import os
import sys
import zlib
from ctypes.util import find_library
from importlib.util import find_spec

import numpy as np
import pytest

from vidrep_pipelines.common.arrays import FloatArray, Pixels
from vidrep_pipelines.data.sources.metaworld import episodes
from vidrep_pipelines.data.sources.metaworld.config import MetaworldPicturesConfig
from vidrep_pipelines.evaluation.rollouts import metaworld as metaworld_rollouts

INSTALLED = find_spec("metaworld") is not None
RENDERS = "MUJOCO_GL" in os.environ or any(find_library(name) for name in ("EGL", "OSMesa"))

needs_metaworld = pytest.mark.skipif(
    not INSTALLED, reason="MetaWorld is not installed: pip install --editable '.[robots]'"
)
needs_rendering = pytest.mark.skipif(
    not RENDERS,
    reason="there is nothing to render with: apt-get install libegl1 libegl-mesa0 libgl1-mesa-dri",
)

HARD_SEEDS = 4
"""In a layout whose seed is a multiple of it, the fake task is never done."""


class FakeMetaworldSimulator:
    """A hand that has to come near a place that follows from task and seed; both are in its pictures."""

    def __init__(self, task: str, pictures: MetaworldPicturesConfig) -> None:
        self.task, self._config = task, pictures
        self._hand, self._target, self._hard = np.zeros(4), np.zeros(4), False
        self.closed = False

    def reset(self, seed: int) -> None:
        rng = np.random.default_rng([zlib.crc32(self.task.encode()), seed])
        self._target[:3] = np.sign(rng.uniform(-1, 1, 3)) * rng.uniform(0.3, 0.9, 3)
        self._hand, self._hard = np.zeros(4), seed % HARD_SEEDS == 0

    @property
    def observation(self) -> FloatArray:
        return np.concatenate([self._hand, self._target])

    @property
    def state(self) -> FloatArray:
        return self._hand.copy()

    @property
    def succeeded(self) -> bool:
        return not self._hard and bool(np.abs(self._target - self._hand).max() < 0.05)

    def step(self, action: FloatArray) -> float:
        self._hand = self._hand + 0.1 * np.clip(action, -1, 1)
        return float(self.succeeded)

    def pictures(self) -> dict[str, Pixels]:
        height, width = self._config.height, self._config.width
        picture = np.random.default_rng(0).integers(0, 120, (height, width, 3), np.uint8)
        for place, channel in ((self._target, 0), (self._hand, 1)):
            top, left = (int((0.5 + 0.4 * np.clip(place[axis], -1, 1)) * height) for axis in (1, 0))
            picture[top : top + height // 8, left : left + width // 8, channel] = 255
        return dict.fromkeys(self._config.cameras, picture)

    def close(self) -> None:
        self.closed = True


def fake_expert(task: str, observation: FloatArray) -> FloatArray:
    """Straight to the place."""
    del task
    return np.clip(10 * (observation[4:] - observation[:4]), -1, 1)


def use_fake_metaworld(monkeypatch: pytest.MonkeyPatch) -> None:
    """Puts the fake in place of MetaWorld, in this process."""
    monkeypatch.setattr(episodes, "MetaworldSimulator", FakeMetaworldSimulator)
    monkeypatch.setattr(episodes, "expert_action", fake_expert)
    monkeypatch.setattr(metaworld_rollouts, "MetaworldSimulator", FakeMetaworldSimulator)


def without_metaworld(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes imports of MetaWorld fail, whether it is installed or not."""
    for name in ("metaworld", "metaworld.env_dict", "metaworld.policies"):
        monkeypatch.setitem(sys.modules, name, None)
