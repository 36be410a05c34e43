"""A world of one number, and policies that move it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from vidrep_pipelines.common.arrays import FloatArray
from vidrep_pipelines.evaluation.rollouts.config import RolloutConfig
from vidrep_pipelines.evaluation.rollouts.engine import RolloutRules
from vidrep_pipelines.evaluation.rollouts.protocol import EpisodeStart, Observation, PlanRequest


class LineWorld:
    """A point on a line that starts at 0; the task ``reach/3`` is done at 3 or more."""

    renderer = "line"

    def __init__(self) -> None:
        self.place, self.goal = 0.0, 0.0
        self.renderings, self.resets, self.closed = 0, 0, False
        self.executed: list[float] = []

    def reset(self, start: EpisodeStart) -> None:
        self.place, self.goal = 0.0, float(start.task.removeprefix("reach/"))
        self.resets += 1

    def observe(self, *, pictures: bool) -> Observation:
        self.renderings += pictures
        shown = {"front": np.full((2, 2, 3), max(0, int(self.place)), np.uint8)} if pictures else {}
        return Observation(shown, np.array([self.place]))

    def step(self, action: FloatArray) -> float:
        self.place += float(action[0])
        self.executed.append(float(action[0]))
        return float(action[0])

    def succeeded(self) -> bool:
        return self.place >= self.goal

    def close(self) -> None:
        self.closed = True


@dataclass
class Steady:
    """Always plans the same steps; remembers what it was asked."""

    actions: Sequence[float] = (1.0,) * 4
    requests: list[list[PlanRequest]] = field(default_factory=list)

    @property
    def chunk_length(self) -> int:
        return len(self.actions)

    def plan(self, requests: Sequence[PlanRequest]) -> FloatArray:
        self.requests.append(list(requests))
        return np.tile(np.array(self.actions)[None, :, None], (len(requests), 1, 1))


@dataclass
class Noisy:
    """Draws its steps from the request's own seed."""

    chunk_length: int = 4

    def plan(self, requests: Sequence[PlanRequest]) -> FloatArray:
        return np.stack([np.random.default_rng(request.seed).normal(0.5, 1, (4, 1)) for request in requests])


def reach(goal: int, name: str = "") -> EpisodeStart:
    return EpisodeStart(name or f"to-{goal}", f"reach/{goal}", f"go to {goal}")


def rules(execute_steps: int = 4, most_steps: int = 50, **others: object) -> RolloutRules:
    config = RolloutConfig(execute_steps=execute_steps, most_steps=most_steps, **others)  # type: ignore[arg-type]
    return RolloutRules(config, "settings")
