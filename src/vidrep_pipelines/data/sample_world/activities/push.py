"""Push an object along the table."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vidrep_pipelines.data.sample_world.activities.base import draw_body, progress
from vidrep_pipelines.data.sample_world.arm import HandPose
from vidrep_pipelines.data.sample_world.body import Body
from vidrep_pipelines.data.sample_world.materials import ColorName
from vidrep_pipelines.data.sample_world.world import World


@dataclass(frozen=True)
class Push:
    """Reach beside the object, lower the closed hand, push, retreat."""

    bodies: tuple[Body, ...]
    goal: float
    phases: tuple[str, ...] = ("reach", "lower", "push", "retreat")

    @classmethod
    def draw(cls, rng: np.random.Generator, colors: list[ColorName]) -> "Push":
        """Draws the object, where it is, and how far and which way it has to go."""
        outward = bool(rng.integers(2))
        x = float(rng.uniform(-0.12, 0.15) if outward else rng.uniform(0.35, 0.5))
        body = draw_body(rng, "ball" if rng.integers(2) else "box", colors, x)
        distance = float(rng.uniform(0.4, 0.55))
        return cls((body,), x + distance if outward else x - distance)

    @property
    def _sign(self) -> float:
        return 1.0 if self.goal > self.bodies[0].x else -1.0

    def instruction(self, mirrored: bool) -> str:
        """Names the side as the viewer sees it."""
        side = "right" if (self._sign > 0) != mirrored else "left"
        return f"push the {self.bodies[0].name} to the {side}"

    def path(self, world: World, phase: int) -> Sequence[HandPose]:
        """A straight line at the object's height while pushing."""
        body = self.bodies[0]
        behind = self._sign * (body.half_width + 0.075)
        angle = -1.15 if self._sign > 0 else -1.75
        contact = float(world.places[0, 0]) - behind
        # A rolling ball goes on by itself, so the hand stops a little earlier.
        end = self.goal - behind - self._sign * (0.1 if body.shape == "ball" else 0.0)
        height = max(0.115, 0.9 * body.half_height)
        if phase == 0:
            return [HandPose(contact - self._sign * 0.12, 0.55, angle, 0.2)]
        if phase == 1:
            return [HandPose(contact - self._sign * 0.06, height, angle, 0.0)]
        if phase == 2:
            return [HandPose(float(x), height, angle, 0.0) for x in np.linspace(contact, end, 6)]
        return [HandPose(end - self._sign * 0.15, 0.35, angle, 0.1), HandPose(-0.2, 0.85, -0.9, 0.3)]

    def reward(self, world: World) -> float:
        """How near the object is to where it should go."""
        distance = abs(float(world.places[0, 0]) - self.goal)
        return progress(distance, abs(self.bodies[0].x - self.goal), tolerance=0.05)
