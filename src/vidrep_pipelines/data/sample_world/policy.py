"""Who decides the actions: a script that does the activity, or chance."""

from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.common.seeds import generator_for
from vidrep_pipelines.data.sample_world import arm
from vidrep_pipelines.data.sample_world.activities.base import Activity
from vidrep_pipelines.data.sample_world.world import World

PolicyName = Literal["scripted", "random"]
NO_PHASE = -1
"""The phase of a frame in which nobody follows a plan."""
_MEMORY = 0.8  # share of a disturbance that is left one frame later
_SHORTEST_PHASE = 3  # frames
RANDOM_LEVEL = 0.45
"""Standard deviation of random joint velocities, as a share of the full speed."""
PACE_SPREAD = 0.35
"""How unequal the phases of an episode are, unless something else is asked for."""


class Policy(Protocol):
    """Decides the action at each frame of an episode."""

    def start(self, activity: Activity, frames: int, seed: int) -> None:
        """Begins an episode of ``frames`` frames."""

    def act(self, world: World) -> tuple[NDArray[np.float32], int]:
        """The action (4,) in -1..1 at the world's state, and the index of the phase it belongs to."""


class Disturbance:
    """Noise (4,) that comes and goes rather than flickers, with a standard deviation of ``level``."""

    def __init__(self, level: float, seed: int) -> None:
        self._level = level
        self._rng = generator_for(seed, "disturbance")
        self._value = np.zeros(4)

    def draw(self) -> NDArray[np.float64]:
        """The noise of the next frame."""
        fresh = self._rng.standard_normal(4) * self._level * np.sqrt(1 - _MEMORY**2)
        self._value = _MEMORY * self._value + fresh
        return self._value


class RandomPolicy:
    """Smoothly random joint velocities."""

    def __init__(self, level: float = RANDOM_LEVEL) -> None:
        self._level = level
        self._disturbance = Disturbance(level, 0)

    def start(self, activity: Activity, frames: int, seed: int) -> None:
        """Begins an episode."""
        self._disturbance = Disturbance(self._level, seed)

    def act(self, world: World) -> tuple[NDArray[np.float32], int]:
        """A random action; there is no phase."""
        return np.clip(self._disturbance.draw(), -1, 1).astype(np.float32), NO_PHASE


class ScriptedPolicy:
    """Does the activity phase by phase, each at its own pace, which is drawn for each episode.

    Within a phase the joints follow the activity's hand path, slow at its ends and quick in its middle, by
    feedback: what noise displaces is brought back.

    Args:
        noise: Standard deviation of the disturbance as a share of the full joint speed.
        pace_spread: How unequal the phases' lengths are; 0 deals the frames evenly.
    """

    def __init__(self, noise: float = 0.0, pace_spread: float = PACE_SPREAD) -> None:
        self._noise, self._pace_spread = noise, pace_spread

    def start(self, activity: Activity, frames: int, seed: int) -> None:
        """Begins an episode and deals its frames to the phases."""
        self._activity = activity
        self._disturbance = Disturbance(self._noise, seed)
        self._ends = np.cumsum(phase_lengths(len(activity.phases), frames, seed, self._pace_spread))
        self._frame = 0
        self._phase = NO_PHASE
        self._path = np.zeros((1, 4))

    def act(self, world: World) -> tuple[NDArray[np.float32], int]:
        """The action that keeps to the plan."""
        phase = min(int(np.searchsorted(self._ends, self._frame, side="right")), len(self._ends) - 1)
        if phase != self._phase:
            self._phase = phase
            stops = [arm.inverse(hand) for hand in self._activity.path(world, phase)]
            self._path = np.stack([world.joints, *stops]).astype(np.float64)
        start = 0 if phase == 0 else int(self._ends[phase - 1])
        length = int(self._ends[phase]) - start
        wanted = place_on_path(self._path, (self._frame + 1 - start) / length)
        self._frame += 1
        action = (wanted - world.joints) / world.joint_step + self._disturbance.draw()
        return np.clip(action, -1, 1).astype(np.float32), phase


def place_on_path(path: NDArray[np.float64], share: float) -> NDArray[np.float64]:
    """The joints (4,) after a share of the time of a path (N, 4); smooth start and stop."""
    time = min(max(share, 0.0), 1.0)
    position = (0.4 * time + 0.6 * time * time * (3 - 2 * time)) * (len(path) - 1)
    stops = np.arange(len(path))
    return np.array([np.interp(position, stops, path[:, joint]) for joint in range(4)])


def phase_lengths(phases: int, frames: int, seed: int, spread: float = PACE_SPREAD) -> NDArray[np.int64]:
    """Deals ``frames`` to the phases at random, none shorter than three frames.

    The logarithms of the paces have a standard deviation of ``spread``.
    """
    rng = generator_for(seed, "pace")
    paces = np.exp(rng.normal(0, spread, phases))
    spare = frames - _SHORTEST_PHASE * phases
    ends = np.round(np.cumsum(paces) / paces.sum() * spare).astype(np.int64)
    return np.asarray(np.diff(ends, prepend=0) + _SHORTEST_PHASE, dtype=np.int64)


def named_policy(name: PolicyName, noise: float = 0.0) -> Policy:
    """The policy of that name; ``noise`` disturbs the scripted one."""
    return ScriptedPolicy(noise) if name == "scripted" else RandomPolicy()
