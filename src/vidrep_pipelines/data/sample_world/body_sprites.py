"""How the objects look: balls, boxes, cups and bowls with photographs printed on them."""

from dataclasses import dataclass, field

import numpy as np
from PIL import Image, ImageEnhance

from vidrep_pipelines.common.arrays import FloatArray
from vidrep_pipelines.data.sample_world.body import Body
from vidrep_pipelines.data.sample_world.materials import COLORS, colored, grain
from vidrep_pipelines.data.sample_world.photographs import patch
from vidrep_pipelines.data.sample_world.sprite import (
    Paint,
    Sprite,
    disc,
    paint,
    premultiplied,
    rounded_box,
    roundness,
)

_RIM = 0.24  # height of a rim's ellipse over its width, as the camera looks down on it
_SIDE_BRIGHTNESS = (1.15, 0.72, 0.5)  # top, sides, underneath


@dataclass(frozen=True)
class BodySprites:
    """An object's pieces.

    Attributes:
        front: What turns with the object.
        fixed: Light that stays where it is when the object turns, drawn over ``front``.
        back: The far inner side of a vessel, drawn before what is in it.
        content: The surface of what a vessel holds, at the height of the rim.
        sides: A box's faces seen from the top, from a side and from below.
    """

    front: Sprite
    fixed: Sprite | None = None
    back: Sprite | None = None
    content: Sprite | None = None
    sides: tuple[Image.Image, ...] = field(default=())


def paint_body(rng: np.random.Generator, density: float, body: Body) -> BodySprites:
    """Paints one object at ``density`` texture pixels per world unit."""
    color = np.array(COLORS[body.color])
    if body.shape == "ball":
        return _ball(rng, density, color, body.half_width)
    if body.shape == "box":
        return _box(rng, density, color, body.half_width, body.half_height)
    return _vessel(rng, density, color, body)


def _print(
    rng: np.random.Generator, color: FloatArray, x: FloatArray, y: FloatArray, scale: float
) -> FloatArray:
    """A photograph printed in one color, sampled at x, y of -scale..scale."""
    picture = colored(patch(rng, 96) / 255, color)
    column = np.clip((x / scale + 1) * 47.5, 0, 95).astype(int)
    row = np.clip((1 - y / scale) * 47.5, 0, 95).astype(int)
    return np.asarray(picture[row, column])


def _ball(rng: np.random.Generator, density: float, color: FloatArray, radius: float) -> BodySprites:
    def skin(x: FloatArray, y: FloatArray) -> Paint:
        depth = np.sqrt(np.clip(1 - (x**2 + y**2) / radius**2, 0.05, 1))
        surface = _print(rng, color, x / (0.5 + 0.5 * depth), y / (0.5 + 0.5 * depth), 1.6 * radius)
        band = np.abs(y / (0.4 + 0.6 * depth)) < 0.22 * radius
        return Paint(np.where(band[..., None], 0.35 * surface + 0.55, surface), disc(x, y, radius))

    front = paint(-radius, -radius, radius, radius, density, skin)
    size = front.texture.size
    columns, rows = np.meshgrid(np.linspace(-1, 1, size[0]), np.linspace(1, -1, size[1]))
    depth = np.sqrt(np.clip(1 - columns**2 - rows**2, 0, 1))
    lit = np.clip(-0.45 * columns + 0.6 * rows + 0.66 * depth, 0, 1)
    gloss = np.exp(-((columns + 0.38) ** 2 + (rows - 0.42) ** 2) / 0.025)
    inside = np.hypot(columns, rows) < 0.97
    coverage = np.where(inside, np.clip(0.62 * (1 - lit) + 0.75 * gloss, 0, 1), 0)
    shine = premultiplied(np.repeat(gloss[..., None], 3, -1), coverage)
    return BodySprites(front=front, fixed=Sprite(shine, front.corners))


def _box(
    rng: np.random.Generator, density: float, color: FloatArray, half_width: float, half_height: float
) -> BodySprites:
    half = max(half_width, half_height)

    def face(x: FloatArray, y: FloatArray) -> Paint:
        surface = _print(rng, color, x, y, half)
        frame = rounded_box(x, y, half_width - 0.022, half_height - 0.022, 0.005) > 0
        surface = np.where(frame[..., None], color * 0.62, surface)
        wear = 1 + 0.06 * grain(rng, x, (4, 4))
        return Paint(surface * wear[..., None], rounded_box(x, y, half_width, half_height, 0.006))

    front = paint(-half_width, -half_height, half_width, half_height, density, face)
    opaque = front.texture.crop((2, 2, front.texture.width - 2, front.texture.height - 2))
    sides = tuple(_brighter(opaque, factor) for factor in _SIDE_BRIGHTNESS)
    return BodySprites(front=front, sides=sides)


def _brighter(texture: Image.Image, factor: float) -> Image.Image:
    plain = ImageEnhance.Brightness(texture.convert("RGBA").convert("RGB")).enhance(factor).convert("RGBA")
    return plain.convert("RGBa")


def _vessel(rng: np.random.Generator, density: float, color: FloatArray, body: Body) -> BodySprites:
    """A cup or a bowl: a body of revolution, its rim an ellipse around y = half_height."""
    half_width, half_height = body.half_width, body.half_height
    rim = _RIM * half_width
    foot = 0.55 if body.shape == "bowl" else 0.78

    def profile(y: FloatArray) -> FloatArray:
        rise = np.clip((y + half_height) / (2 * half_height), 0, 1)
        curve = rise**0.45 if body.shape == "bowl" else rise
        return np.asarray(half_width * (foot + (1 - foot) * curve))

    def outside(x: FloatArray, y: FloatArray) -> Paint:
        radius = profile(y)
        surface = _print(rng, color, np.arcsin(np.clip(x / radius, -1, 1)) * half_width, y, 1.6 * half_width)
        surface = surface * roundness(-x, radius)[..., None] * 0.92
        bottom = -half_height + 0.35 * rim - np.sqrt(np.clip(1 - (x / half_width) ** 2, 0, 1)) * 0.5 * rim
        opening = half_height - rim * np.sqrt(np.clip(1 - (x / half_width) ** 2, 0, 1))
        edge = np.abs(y - opening) < 0.014
        surface = np.where(edge[..., None], color * 0.5 + 0.45, surface)
        return Paint(surface, np.maximum(np.abs(x) - radius, np.maximum(y - opening - 0.012, bottom - y)))

    def inside(x: FloatArray, y: FloatArray) -> Paint:
        distance = (np.hypot(x / half_width, (y - half_height) / rim) - 1) * rim
        depth = 0.42 + 0.25 * (half_height + rim - y) / rim
        lip = (distance > -0.02)[..., None]
        return Paint(np.where(lip, color * 0.5 + 0.45, color * depth[..., None]), distance)

    def content(x: FloatArray, y: FloatArray) -> Paint:
        distance = (np.hypot(x / (half_width * 0.9), (y - half_height) / (rim * 0.85)) - 1) * rim
        speckle = 0.85 + 0.15 * grain(rng, x, (8, 8), 3)
        return Paint(np.array(COLORS[body.content_color]) * speckle[..., None], distance)

    return BodySprites(
        front=paint(-half_width, -half_height - 0.01, half_width, half_height + 0.02, density, outside),
        back=paint(-half_width, half_height - rim, half_width, half_height + rim, density, inside),
        content=paint(-half_width, half_height - rim, half_width, half_height + rim, density, content),
    )
