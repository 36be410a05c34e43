"""Wave the hand."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vidrep_pipelines.data.sample_world.activities.base import draw_body
from vidrep_pipelines.data.sample_world.arm import REACH, HandPose, direction
from vidrep_pipelines.data.sample_world.body import Body
from vidrep_pipelines.data.sample_world.materials import ColorName
from vidrep_pipelines.data.sample_world.world import World

_TIMES = {2: "twice", 3: "three times", 4: "four times"}
_RAISED = 1.1  # height at which the hand counts as raised
_LIVELY = 0.9  # hand speed, in world units per second, of a lively wave


@dataclass(frozen=True)
class Wave:
    """Raise the hand, wave it some times, lower it."""

    bodies: tuple[Body, ...]
    times: int
    phases: tuple[str, ...] = ("raise", "wave", "lower")

    @classmethod
    def draw(cls, rng: np.random.Generator, colors: list[ColorName]) -> "Wave":
        """Draws how many times, and an object to stand by."""
        body = draw_body(rng, "box" if rng.integers(2) else "ball", colors, float(rng.uniform(0.1, 0.6)))
        return cls((body,), int(rng.integers(2, 5)))

    def instruction(self, mirrored: bool) -> str:
        """Says how many times."""
        return f"raise the hand and wave {_TIMES[self.times]}"

    def path(self, world: World, phase: int) -> Sequence[HandPose]:
        """Turns about a raised wrist."""
        if phase == 0:
            return [_raised(1.5, 0.5)]
        if phase == 1:
            turns = [angle for _ in range(self.times) for angle in (0.75, 2.0)]
            return [_raised(angle, 0.8) for angle in turns]
        return [HandPose(-0.05, 0.8, -0.6, 0.3), HandPose(-0.2, 0.65, -1.0, 0.2)]

    def reward(self, world: World) -> float:
        """How lively the raised hand moves; nothing while it is not raised."""
        raised = np.clip((world.pose.grip[1] - _RAISED) / 0.2, 0, 1)
        return float(raised * np.clip(world.hand_speed / _LIVELY, 0, 1))


def _raised(angle: float, opening: float) -> HandPose:
    x, y = np.array([-0.15, 1.18]) + REACH * direction(angle) * (1.0, 1.0)
    return HandPose(float(x), float(y), angle, opening)
