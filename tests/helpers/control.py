"""A task as the DeepMind Control Suite gives it, without the suite."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.data.sources.dm_control.actor import ActorFacts, write_actor

OBSERVATION = {"position": 2, "height": 1}
"""Names and sizes of what the task observes."""


class FakePhysics:
    """Renders the number of steps so far."""

    def __init__(self) -> None:
        self.model = SimpleNamespace(vis=SimpleNamespace(quality=SimpleNamespace(offsamples=4)))
        self.steps, self.renders = 0, list[dict[str, Any]]()

    def render(self, **options: Any) -> NDArray[np.uint8]:
        self.renders.append({**options, "samples": self.model.vis.quality.offsamples})
        return np.full((options["height"], options["width"], 3), self.steps, np.uint8)


class FakeEnvironment:
    """Ends after eleven control steps; the reward is the sum of the action, the last discount zero."""

    def __init__(self) -> None:
        self.physics, self.actions = FakePhysics(), list[NDArray[np.floating[Any]]]()

    def control_timestep(self) -> float:
        return 0.01

    def action_spec(self) -> Any:
        return SimpleNamespace(shape=(2,), minimum=np.array([-1.0, 0.0]), maximum=np.array([1.0, 2.0]))

    def reset(self) -> Any:
        self.physics.steps = 0
        return self._step(None)

    def step(self, action: NDArray[np.floating[Any]]) -> Any:
        self.physics.steps += 1
        self.actions.append(action.copy())
        return self._step(float(action.sum()))

    def _step(self, reward: float | None) -> Any:
        over = self.physics.steps == 11
        observation = {"position": np.full(2, self.physics.steps), "height": 0.5}
        discount = None if reward is None else float(not over)
        return SimpleNamespace(observation=observation, reward=reward, discount=discount, last=lambda: over)


def write_policy(path: Path, seed: int = 0, observation: dict[str, int] = OBSERVATION) -> Path:
    """A policy of two layers for the fake task, with its facts beside it."""
    rng = np.random.default_rng(seed)
    sizes = [(sum(observation.values()), 4), (4, 2)]
    layers = [
        (rng.normal(size=(out, into)).astype(np.float32), rng.normal(size=out).astype(np.float32))
        for into, out in sizes
    ]
    facts = ActorFacts(
        task="fake_task", observation=observation, actions=2, action_repeat=2, steps=9, returns=[1.5]
    )
    write_actor(path, path.with_suffix(".json"), layers, facts)
    return path
