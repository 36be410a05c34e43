"""Drop a ball into a bowl."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vidrep_pipelines.data.sample_world.activities.base import DOWN, draw_body, progress
from vidrep_pipelines.data.sample_world.arm import HandPose
from vidrep_pipelines.data.sample_world.body import Body
from vidrep_pipelines.data.sample_world.materials import ColorName
from vidrep_pipelines.data.sample_world.world import World


@dataclass(frozen=True)
class Drop:
    """Reach over the ball, grasp it, carry it above the bowl, let go, retreat."""

    bodies: tuple[Body, ...]
    phases: tuple[str, ...] = ("reach", "grasp", "carry", "release", "retreat")

    @classmethod
    def draw(cls, rng: np.random.Generator, colors: list[ColorName]) -> "Drop":
        """Draws a ball and a bowl and which one is nearer to the arm."""
        places = [float(rng.uniform(-0.2, 0.0)), float(rng.uniform(0.42, 0.55))]
        if rng.integers(2):
            places.reverse()
        return cls((draw_body(rng, "ball", colors, places[0]), draw_body(rng, "bowl", colors, places[1])))

    def instruction(self, mirrored: bool) -> str:
        """Names ball and bowl."""
        return f"drop the {self.bodies[0].name} into the {self.bodies[1].name}"

    def path(self, world: World, phase: int) -> Sequence[HandPose]:
        """Over the rim and down a little."""
        x, y, _ = world.places[0].tolist()
        goal = float(world.places[1, 0])
        above = 2 * self.bodies[1].half_height + 0.3
        if phase == 0:
            return [HandPose(x, 0.6, DOWN, 1.0)]
        if phase == 1:
            return [HandPose(x, y + 0.1, DOWN, 1.0), HandPose(x, y, DOWN, 1.0), HandPose(x, y, DOWN, 0.4)]
        if phase == 2:
            return [
                HandPose(x, 0.45, DOWN, 0.4),
                HandPose((x + goal) / 2, 0.85, DOWN, 0.4),
                HandPose(goal, above + 0.1, DOWN, 0.4),
            ]
        if phase == 3:
            return [HandPose(goal, above, DOWN, 0.4), HandPose(goal, above, DOWN, 1.0)]
        return [HandPose(goal, above + 0.2, DOWN, 0.9), HandPose(-0.15, 0.9, -1.0, 0.4)]

    def reward(self, world: World) -> float:
        """How near the ball is to the bottom of the bowl."""
        bowl = self.bodies[1]
        goal = world.places[1, :2] + (0.0, self.bodies[0].half_height - 0.35 * bowl.half_height)
        return progress(
            float(np.hypot(*(world.places[0, :2] - goal))), abs(self.bodies[0].x - bowl.x), tolerance=0.1
        )
