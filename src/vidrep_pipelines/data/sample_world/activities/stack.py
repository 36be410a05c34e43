"""Stack a box on another."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vidrep_pipelines.data.sample_world.activities.base import DOWN, draw_body, progress
from vidrep_pipelines.data.sample_world.arm import HandPose
from vidrep_pipelines.data.sample_world.body import Body
from vidrep_pipelines.data.sample_world.materials import ColorName
from vidrep_pipelines.data.sample_world.world import World


@dataclass(frozen=True)
class Stack:
    """Reach over the first box, grasp it, lift it, place it on the second, retreat."""

    bodies: tuple[Body, ...]
    phases: tuple[str, ...] = ("reach", "grasp", "lift", "place", "retreat")

    @classmethod
    def draw(cls, rng: np.random.Generator, colors: list[ColorName]) -> "Stack":
        """Draws two boxes and which one is nearer to the arm."""
        places = [float(rng.uniform(-0.15, 0.05)), float(rng.uniform(0.4, 0.58))]
        if rng.integers(2):
            places.reverse()
        return cls((draw_body(rng, "box", colors, places[0]), draw_body(rng, "box", colors, places[1])))

    def instruction(self, mirrored: bool) -> str:
        """Names both boxes."""
        return f"stack the {self.bodies[0].name} on the {self.bodies[1].name}"

    def _height(self) -> float:
        return 2 * self.bodies[1].half_height + self.bodies[0].half_height

    def path(self, world: World, phase: int) -> Sequence[HandPose]:
        """Comes from above and leaves upward."""
        x, y, _ = world.places[0].tolist()
        goal = float(world.places[1, 0])
        grip = y + 0.03
        if phase == 0:
            return [HandPose(x, 0.6, DOWN, 1.0)]
        if phase == 1:
            return [
                HandPose(x, grip + 0.1, DOWN, 1.0),
                HandPose(x, grip, DOWN, 1.0),
                HandPose(x, grip, DOWN, 0.4),
            ]
        if phase == 2:
            return [HandPose(x, 0.5, DOWN, 0.4), HandPose((x + goal) / 2, 0.8, DOWN, 0.4)]
        top = self._height() + 0.035
        if phase == 3:
            return [
                HandPose(goal, top + 0.3, DOWN, 0.4),
                HandPose(goal, top, DOWN, 0.4),
                HandPose(goal, top, DOWN, 0.45),
            ]
        return [
            HandPose(goal, top, DOWN, 1.0),
            HandPose(goal, top + 0.3, DOWN, 1.0),
            HandPose(-0.1, 0.9, -1.1, 0.5),
        ]

    def reward(self, world: World) -> float:
        """How near the box is to its place on top."""
        goal = world.places[1, :2] + (0.0, self._height() - self.bodies[1].half_height)
        start = float(np.hypot(self.bodies[0].x - self.bodies[1].x, self._height()))
        return progress(float(np.hypot(*(world.places[0, :2] - goal))), start, tolerance=0.06)
