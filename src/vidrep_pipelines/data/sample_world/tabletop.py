"""A table with several objects in the arm's reach, about which many instructions can be given."""

from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from vidrep_pipelines.common.arrays import FloatArray
from vidrep_pipelines.common.config import FrozenConfig
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.common.seeds import generator_for, seed_for
from vidrep_pipelines.data.sample_world import arm
from vidrep_pipelines.data.sample_world.body import Body, ShapeName
from vidrep_pipelines.data.sample_world.instructions import (
    OBJECT_COLORS,
    OBJECT_SHAPES,
    TASKS,
    Instruction,
)
from vidrep_pipelines.data.sample_world.materials import ColorName

CameraName = Literal["front", "side"]
LookName = Literal["plain", "photographic"]

_MIDDLE = 0.17  # of the places of objects
_SIZES = {2: 0.12, 3: 0.098, 4: 0.077}  # half width by number of objects: a fist fits between two of them


class TabletopConfig(FrozenConfig):
    """How the table looks, how it is filmed, and at which pace the arm works."""

    look: LookName = "plain"
    """``plain``: a camera on a tripod, an even background, no noise. ``photographic``: as the sample world's
    clips, with a hand-held camera, changing light, photographs, plants and noise."""
    cameras: tuple[CameraName, ...] = Field(("front", "side"), min_length=1)
    """Which cameras film. ``side`` stands higher, at the end where the arm's base is not."""
    width: int = Field(64, ge=32, multiple_of=2)
    """Pixels."""
    height: int = Field(64, ge=32, multiple_of=2)
    """Pixels."""
    objects_min: int = Field(2, ge=2, le=4)
    """Fewest objects on the table."""
    objects_max: int = Field(3, ge=2, le=4)
    """Most objects on the table. The more there are, the smaller they are and the shorter the ways."""
    frames: int = Field(24, ge=20)
    """Length of an episode."""
    frames_per_second: int = Field(8, ge=8, le=60)
    """Rate of video and control. In less than three seconds for an episode the arm cuts corners."""
    pace_spread: float = Field(0.0, ge=0, le=1)
    """How unequal the phases' lengths are: the standard deviation of the logarithm of their paces."""
    camera_motion: float | None = Field(None, ge=0, le=1)
    """Share of a hand's motion that the camera makes. None: 0 in the plain look, else 1."""
    policy_noise: float = Field(0.0, ge=0, le=1)
    """Standard deviation of the expert's disturbance, as a share of the full joint speed."""
    aim_spread: float = Field(0.0, ge=0, le=0.2)
    """Standard deviation of how far beside its aim the expert's hand first arrives, in the arm's units (the
    table is 1.3 long). Above 0, where the hand is does not say where the object is, so that who learns from
    the expert has to look at both."""
    mirror: bool = False
    """Whether the arm stands on the right in half of the layouts."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.objects_max < self.objects_min:
            raise ValueError(
                f"tabletop: objects_max ({self.objects_max}) is below objects_min ({self.objects_min})"
            )
        if len(set(self.cameras)) < len(self.cameras):
            raise ValueError(f"tabletop: a camera is listed twice in {list(self.cameras)}")
        return self


class TabletopEpisodesConfig(FrozenConfig):
    """How many tables are filmed, each under one instruction; the tables of all parts differ."""

    table: TabletopConfig = TabletopConfig(objects_max=2, cameras=("front",))
    """What they look like, and how they are filmed."""
    train_tables: int = Field(1000, ge=1)
    """Tables to learn from. More of them leave the first ones as they are."""
    validation_tables: int = Field(64, ge=0)
    """Other tables, with the same combinations of object, action and place, to choose by."""
    test_tables: int = Field(64, ge=0)
    """Further tables with these combinations."""
    held_out_tables: int = Field(64, ge=0)
    """Tables with the combinations that no other part has; those about which none can be said are passed
    over. They are a data set of their own in the split ``test``."""
    beside_tables: int = Field(0, ge=0)
    """Further tables to learn from, on which the expert first aims beside: a data set of their own in the
    split ``train``, for a policy to learn how a mistake is made good. No video model needs them."""
    beside_spread: float = Field(0.1, gt=0, le=0.2)
    """How far beside, on those tables: their ``aim_spread``."""
    seed: int = 0
    """Everything that is drawn follows from it."""


@dataclass(frozen=True)
class TabletopSeeds:
    """What the parts of an episode follow from, so that each can be changed alone.

    Attributes:
        layout: Which objects stand where, and how the arm begins.
        scenery: Textures.
        camera: The camera's motion.
        light: Light, its changes and the sensor's noise.
        policy: The expert's pace and disturbance.
    """

    layout: int
    scenery: int
    camera: int
    light: int
    policy: int

    @classmethod
    def of(cls, seed: int) -> "TabletopSeeds":
        """Independent seeds for all parts."""
        return cls(*(seed_for(seed, part) for part in ("layout", "scenery", "camera", "light", "policy")))


@dataclass(frozen=True)
class Layout:
    """What stands on the table before anything happens.

    Attributes:
        bodies: The objects from left to right of the unmirrored scene; ids in masks are 2, 3, ...
        start: (4,) the arm's joints.
        mirrored: Whether the arm's base is on the right.
    """

    bodies: tuple[Body, ...]
    start: NDArray[np.float32]
    mirrored: bool

    @property
    def names(self) -> tuple[str, ...]:
        """What the objects are called."""
        return tuple(body.name for body in self.bodies)

    def index(self, name: str) -> int:
        """Which object has that name.

        Raises:
            InputError: None has.
        """
        if name not in self.names:
            raise InputError(f"sample world: there is no {name} on the table, but {', '.join(self.names)}")
        return self.names.index(name)

    def instructions(self) -> list[Instruction]:
        """All that can be asked for, object by object."""
        boxes = [body for body in self.bodies if body.shape == "box"]
        found = []
        for body in self.bodies:
            for action, place in TASKS:
                others = [box.color for box in boxes if box is not body] if place == "on_box" else [None]
                found += [Instruction(action, body.color, body.shape, place, color) for color in others]
        return found


def draw_layout(config: TabletopConfig, seed: int) -> Layout:
    """Draws objects of different colors, at least one of them a box, so that there is something to put on."""
    rng = generator_for(seed, "tabletop")
    count = int(rng.integers(config.objects_min, config.objects_max + 1))
    others: list[ShapeName] = [OBJECT_SHAPES[int(index)] for index in rng.permutation(3)]
    shapes: list[ShapeName] = (["box", *others])[:count]
    shapes = [shapes[int(index)] for index in rng.permutation(count)]
    colors = [OBJECT_COLORS[int(index)] for index in rng.permutation(len(OBJECT_COLORS))[:count]]
    start = arm.HandPose(float(rng.uniform(-0.3, -0.1)), float(rng.uniform(0.75, 0.9)), -1.1, 0.4)
    bodies = (
        _body(rng, shape, color, x, _SIZES[count])
        for shape, color, x in zip(shapes, colors, _places(rng, count), strict=True)
    )
    return Layout(tuple(bodies), arm.inverse(start), config.mirror and bool(rng.integers(2)))


def _places(rng: np.random.Generator, count: int) -> FloatArray:
    """Where the objects stand, from left to right: evenly, less a little chance where there is room."""
    reach = {2: 0.33, 3: 0.4, 4: 0.46}[count]
    room = {2: 0.07, 3: 0.02, 4: 0.0}[count]
    even = np.linspace(_MIDDLE - reach, _MIDDLE + reach, count)
    return np.asarray(even + rng.uniform(-room, room, count))


def _body(rng: np.random.Generator, shape: ShapeName, color: ColorName, x: float, size: float) -> Body:
    size *= float(rng.uniform(0.94, 1.0))
    half_width, half_height = {
        "ball": (size, size),
        "box": (size, size * 0.95),
        "cup": (0.9 * size, 1.25 * size),
    }[shape]
    return Body(shape, color, half_width, half_height, float(x))
