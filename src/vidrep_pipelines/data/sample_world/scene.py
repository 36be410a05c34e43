"""Everything about an episode that is drawn before it starts."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.common.seeds import generator_for
from vidrep_pipelines.data.sample_world import arm
from vidrep_pipelines.data.sample_world.activities.base import Activity, draw_body
from vidrep_pipelines.data.sample_world.activities.drop import Drop
from vidrep_pipelines.data.sample_world.activities.pour import Pour
from vidrep_pipelines.data.sample_world.activities.push import Push
from vidrep_pipelines.data.sample_world.activities.stack import Stack
from vidrep_pipelines.data.sample_world.activities.strike import Strike
from vidrep_pipelines.data.sample_world.activities.wave import Wave
from vidrep_pipelines.data.sample_world.body import Body, ShapeName
from vidrep_pipelines.data.sample_world.config import ActivityName
from vidrep_pipelines.data.sample_world.materials import COLORS, ColorName
from vidrep_pipelines.data.sample_world.world import World


def draw_activity(name: ActivityName, rng: np.random.Generator, colors: list[ColorName]) -> Activity:
    """The activity of that name with its objects drawn; the colors used are taken out of ``colors``."""
    kinds: dict[ActivityName, type[Push | Stack | Drop | Pour | Strike | Wave]] = {
        "push": Push,
        "stack": Stack,
        "drop": Drop,
        "pour": Pour,
        "strike": Strike,
        "wave": Wave,
    }
    return kinds[name].draw(rng, colors)


_ARM_COLORS: tuple[ColorName, ...] = ("orange", "white", "yellow", "blue", "green", "red")
_LANES = (0.62, -0.5, 0.8)  # of the first, second and third distractor


@dataclass(frozen=True)
class Scene:
    """What an episode consists of.

    Attributes:
        seed: Looks, camera, light and noise follow from it.
        activity: What is to be done.
        bodies: The activity's objects, then the distractors. Object ids in masks are 2, 3, ... in this order.
        start: (4,) the arm's joints at the beginning.
        mirrored: Whether the arm's base is on the right.
        arm_color: The arm's color.
    """

    seed: int
    activity: Activity
    bodies: tuple[Body, ...]
    start: NDArray[np.float32]
    mirrored: bool
    arm_color: ColorName

    @property
    def instruction(self) -> str:
        """The sentence that asks for the activity."""
        return self.activity.instruction(self.mirrored)

    def world(self, frames_per_second: int) -> World:
        """The world in its first state."""
        return World(self.bodies, self.start, frames_per_second)


def draw_scene(activity: ActivityName, seed: int, distractors: int) -> Scene:
    """Draws the scene of an episode; equal arguments give an equal scene."""
    rng = generator_for(seed, "scene")
    arm_color = _ARM_COLORS[int(rng.integers(len(_ARM_COLORS)))]
    colors = [color for color in COLORS if color not in (arm_color, "black")]
    drawn = draw_activity(activity, rng, colors)
    others = [_distractor(rng, colors, lane) for lane in _LANES[:distractors]]
    start = arm.HandPose(float(rng.uniform(-0.3, 0.0)), float(rng.uniform(0.6, 0.85)), -0.9, 0.3)
    return Scene(
        seed=seed,
        activity=drawn,
        bodies=(*drawn.bodies, *others),
        start=arm.inverse(start),
        mirrored=bool(rng.integers(2)),
        arm_color=arm_color,
    )


def _distractor(rng: np.random.Generator, colors: list[ColorName], lane: float) -> Body:
    shapes: tuple[ShapeName, ...] = ("ball", "box", "cup", "bowl")
    x = float(rng.uniform(-0.5, 1.1) if lane > 0 else rng.uniform(-0.85, 0.85))
    return draw_body(rng, shapes[int(rng.integers(4 if lane > 0 else 3))], colors, x, lane)
