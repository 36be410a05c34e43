"""Pour what is in a cup into a bowl."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from vidrep_pipelines.data.sample_world.activities.base import draw_body
from vidrep_pipelines.data.sample_world.arm import HandPose
from vidrep_pipelines.data.sample_world.body import Body
from vidrep_pipelines.data.sample_world.materials import ColorName
from vidrep_pipelines.data.sample_world.world import World

_HELD = 0.22  # opening of a hand around a cup's wall
_LEVEL, _TILTED = -0.1, -2.0  # directions of the hand


@dataclass(frozen=True)
class Pour:
    """Reach for the cup, grasp it, carry it to the bowl, pour, turn it upright again."""

    bodies: tuple[Body, ...]
    phases: tuple[str, ...] = ("reach", "grasp", "carry", "pour", "return")

    @classmethod
    def draw(cls, rng: np.random.Generator, colors: list[ColorName]) -> "Pour":
        """Draws a full cup near the arm and a bowl beyond it."""
        cup = draw_body(rng, "cup", colors, float(rng.uniform(-0.15, 0.05)))
        bowl = draw_body(rng, "bowl", colors, float(rng.uniform(0.48, 0.62)))
        content = colors.pop(int(rng.integers(len(colors))))
        return cls((replace(cup, content_color=content, filled=True), replace(bowl, content_color=content)))

    def instruction(self, mirrored: bool) -> str:
        """Names cup and bowl."""
        return f"pour the {self.bodies[0].name} into the {self.bodies[1].name}"

    def path(self, world: World, phase: int) -> Sequence[HandPose]:
        """Comes from the side at the cup's height, goes over the bowl, and turns there."""
        x, y, _ = world.places[0].tolist()
        # The lower lip of a tilted cup is beyond and below the hand.
        over = float(world.places[1, 0]) - 0.13
        height = 2 * self.bodies[1].half_height + 0.34
        if phase == 0:
            return [HandPose(x - 0.25, y + 0.15, _LEVEL, 0.9), HandPose(x - 0.16, y + 0.02, _LEVEL, 0.9)]
        if phase == 1:
            return [HandPose(x, y + 0.01, _LEVEL, 0.8), HandPose(x, y + 0.01, _LEVEL, _HELD)]
        if phase == 2:
            return [
                HandPose(x, height, _LEVEL, _HELD),
                HandPose(over - 0.05, height + 0.08, _LEVEL, _HELD),
            ]
        if phase == 3:
            angles = [*np.linspace(_LEVEL, _TILTED, 5)[1:].tolist(), _TILTED - 0.1, _TILTED - 0.2]
            return [HandPose(over, height, angle, _HELD) for angle in angles]
        return [
            HandPose(over - 0.05, height + 0.08, _LEVEL, _HELD),
            HandPose(x - 0.25, height, _LEVEL, _HELD),
        ]

    def reward(self, world: World) -> float:
        """The share that has arrived in the bowl."""
        return world.poured
