"""Strike a hanging ball."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from vidrep_pipelines.data.sample_world.activities.base import draw_body
from vidrep_pipelines.data.sample_world.arm import HandPose
from vidrep_pipelines.data.sample_world.body import Body
from vidrep_pipelines.data.sample_world.materials import ColorName
from vidrep_pipelines.data.sample_world.world import World

_FULL_SWING = 0.08  # height of a swing that counts as a full one


@dataclass(frozen=True)
class Strike:
    """Approach the ball, draw back, strike, withdraw while it swings."""

    bodies: tuple[Body, ...]
    phases: tuple[str, ...] = ("approach", "wind_up", "strike", "withdraw")

    @classmethod
    def draw(cls, rng: np.random.Generator, colors: list[ColorName]) -> "Strike":
        """Draws a ball on a string."""
        ball = draw_body(rng, "ball", colors, float(rng.uniform(0.2, 0.42)))
        string, height = float(rng.uniform(1.3, 1.6)), float(rng.uniform(0.75, 0.95))
        return cls((replace(ball, string=string, height=height),))

    def instruction(self, mirrored: bool) -> str:
        """Names the side as the viewer sees it."""
        return f"strike the hanging {self.bodies[0].name} to the {'left' if mirrored else 'right'}"

    def path(self, world: World, phase: int) -> Sequence[HandPose]:
        """Back, and fast forward through where the ball hangs."""
        x, y = self.bodies[0].x, self.bodies[0].height
        if phase == 0:
            return [HandPose(x - 0.32, y, -0.3, 0.0)]
        if phase == 1:
            return [HandPose(x - 0.7, y - 0.05, 0.1, 0.0)]
        if phase == 2:
            return [HandPose(float(at), y, -0.2, 0.0) for at in np.linspace(x - 0.5, x + 0.05, 4)]
        return [HandPose(x - 0.5, y - 0.2, -0.6, 0.1), HandPose(-0.35, 0.6, -0.9, 0.3)]

    def reward(self, world: World) -> float:
        """How high the ball swings."""
        return float(np.clip(world.motion.swing_energy(0) / _FULL_SWING, 0, 1))
