"""What every activity answers, and what they share."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from vidrep_pipelines.data.sample_world.arm import HandPose
from vidrep_pipelines.data.sample_world.body import Body, ShapeName
from vidrep_pipelines.data.sample_world.materials import ColorName
from vidrep_pipelines.data.sample_world.world import World

DOWN = -np.pi / 2
"""Direction of a hand that reaches for something from above."""


class Activity(Protocol):
    """An activity with everything about it drawn: which objects, where, and what is to become of them.

    The arm's base is on the left; ``mirrored`` says that the scene is shown the other way around.
    """

    @property
    def phases(self) -> tuple[str, ...]:
        """The phases' names in their order."""

    @property
    def bodies(self) -> tuple[Body, ...]:
        """The objects that take part."""

    def instruction(self, mirrored: bool) -> str:
        """The sentence that a person would say."""

    def path(self, world: World, phase: int) -> Sequence[HandPose]:
        """The hand's way through a phase that starts now."""

    def reward(self, world: World) -> float:
        """How well it is done, in 0..1, from the state alone."""


def draw_body(
    rng: np.random.Generator, shape: ShapeName, colors: list[ColorName], x: float, lane: float = 0.0
) -> Body:
    """An object of some size; its color is taken out of ``colors`` so that no two objects share it."""
    color = colors.pop(int(rng.integers(len(colors))))
    size = float(rng.uniform(0.115, 0.14))
    half_width, half_height = {
        "ball": (size, size),
        "box": (size, size * float(rng.uniform(0.85, 1.05))),
        "cup": (0.88 * size, 1.25 * size),
        "bowl": (1.9 * size, 0.95 * size),
    }[shape]
    return Body(shape, color, half_width, half_height, x, lane)


def progress(distance: float, start: float, tolerance: float = 0.02) -> float:
    """1 at the goal, within a tolerance, and 0 at the starting distance or farther."""
    return float(np.clip(1 - max(0.0, distance - tolerance) / max(start, 1e-6), 0, 1))
