"""Everything that is painted once for an episode."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from vidrep_pipelines.common.arrays import FloatArray
from vidrep_pipelines.common.seeds import generator_for
from vidrep_pipelines.data.sample_world.arm_sprites import ArmSprites, paint_arm
from vidrep_pipelines.data.sample_world.body_sprites import BodySprites, paint_body
from vidrep_pipelines.data.sample_world.materials import TABLES, ColorName, table_top
from vidrep_pipelines.data.sample_world.pieces import Piece, placed
from vidrep_pipelines.data.sample_world.prop_sprites import (
    backdrop,
    books,
    drop_sprite,
    flower,
    framed_photograph,
    leaves,
    string_sprite,
    surface,
    table_corners,
)
from vidrep_pipelines.data.sample_world.scene import Scene
from vidrep_pipelines.data.sample_world.sprite import Sprite

TABLE_FAR = 1.25
"""z of the table's far edge."""
_BACKDROP_Z, _BACKDROP_WIDTH, _BACKDROP_BOTTOM = 6.0, 9.6, -2.5
_PROP_Z, _PLANT_Z = 1.05, -1.75
_SPRITE_DENSITY = 0.44  # texture pixels per world unit, as a share of the picture's width: a little over 1:1


@dataclass(frozen=True)
class Plant:
    """A plant out of focus before the camera, which sways about its root (x, y, z)."""

    sprite: Sprite
    root: tuple[float, float, float]
    lean: float
    sway: float
    period: float

    def piece(self, seconds: float) -> Piece:
        """Where it is at a moment."""
        angle = self.lean + self.sway * np.sin(2 * np.pi * seconds / self.period)
        return placed(self.sprite, self.root[:2], self.root[2], angle)


@dataclass(frozen=True)
class Scenery:
    """The textures of an episode.

    Attributes:
        backdrop: The photograph behind everything, RGB, and its corners (4, 3).
        table: The table's top.
        props: Things that stand at the back of the table.
        arm: The arm's pieces.
        bodies: Each object's pieces.
        strings: The string of each hanging object.
        drop: One grain of what is poured.
        plants: What is between the camera and the table.
    """

    backdrop: tuple[Image.Image, FloatArray]
    table: Piece
    props: tuple[Piece, ...]
    arm: ArmSprites
    bodies: tuple[BodySprites, ...]
    strings: tuple[Sprite | None, ...]
    drop: Sprite
    plants: tuple[Plant, ...]


def paint_scenery(scene: Scene, width: int) -> Scenery:
    """Paints all that an episode shows, for a picture ``width`` pixels wide."""
    rng = generator_for(scene.seed, "scenery")
    density = max(40.0, width * _SPRITE_DENSITY)
    kind = TABLES[int(rng.integers(len(TABLES)))]
    return Scenery(
        backdrop=_backdrop(rng),
        table=Piece(surface(table_top(kind, rng)), table_corners(-2.7, 2.7, TABLE_FAR, -2.0)),
        props=_props(rng, density),
        arm=paint_arm(rng, density, scene.arm_color),
        bodies=tuple(paint_body(rng, density, body) for body in scene.bodies),
        strings=tuple(
            string_sprite("white", 4.0) if body.string is not None else None for body in scene.bodies
        ),
        drop=drop_sprite(_poured_color(scene), density),
        plants=_plants(rng, density),
    )


def _poured_color(scene: Scene) -> ColorName:
    return next((body.content_color for body in scene.bodies if body.filled), "white")


def _backdrop(rng: np.random.Generator) -> tuple[Image.Image, FloatArray]:
    picture = backdrop(rng)
    half, height = _BACKDROP_WIDTH / 2, _BACKDROP_WIDTH * picture.height / picture.width
    top, bottom = _BACKDROP_BOTTOM + height, _BACKDROP_BOTTOM
    corners = [(-half, top), (half, top), (half, bottom), (-half, bottom)]
    return picture, np.array([(x, y, _BACKDROP_Z) for x, y in corners])


def _props(rng: np.random.Generator, density: float) -> tuple[Piece, ...]:
    painters = (framed_photograph, books, flower)
    order = rng.permutation(len(painters))[: int(rng.integers(1, 4))]
    places = rng.permutation([-1.2, -0.1, 1.0])
    pieces = []
    for which, place in zip(order, places, strict=False):
        sprite = painters[int(which)](rng, 0.75 * density).blurred(0.6)
        pieces.append(placed(sprite, (float(place + rng.uniform(-0.3, 0.3)), 0.0), _PROP_Z))
    return tuple(pieces)


def _plants(rng: np.random.Generator, density: float) -> tuple[Plant, ...]:
    """A plant on one side, sometimes on both, rooted below the picture."""
    sides = [-1, 1] if rng.random() < 0.35 else [int(rng.choice([-1, 1]))]
    plants = []
    for side in sides:
        grow = flower if rng.random() < 0.35 else leaves
        sprite = grow(rng, density).blurred(density * float(rng.uniform(0.01, 0.022)))
        root = (side * float(rng.uniform(0.62, 0.82)), float(rng.uniform(-0.35, -0.02)), _PLANT_Z)
        plants.append(
            Plant(
                sprite,
                root,
                side * float(rng.uniform(-0.1, 0.3)),
                float(rng.uniform(0.02, 0.08)),
                float(rng.uniform(1.5, 4)),
            )
        )
    return tuple(plants)
