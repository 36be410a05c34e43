"""A textured flat piece of something, and the shapes that such pieces are painted from."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageFilter

from vidrep_pipelines.common.arrays import FloatArray
from vidrep_pipelines.data.sample_world.geometry import rectangle

_MARGIN = 2  # transparent texture pixels around the shape, so that its outline is never cut


class Paint(NamedTuple):
    """Color (H, W, 3) in 0..1 and signed distance (H, W) to the outline in world units, negative inside."""

    color: FloatArray
    distance: FloatArray


@dataclass(frozen=True)
class Sprite:
    """A texture and its rectangle.

    Attributes:
        texture: Mode ``RGBa``, colors multiplied by coverage.
        corners: (4, 2) in world units of the piece's own frame, in the order of ``geometry.rectangle``.
    """

    texture: Image.Image
    corners: FloatArray

    def blurred(self, radius: float) -> "Sprite":
        """The same, out of focus by ``radius`` texture pixels."""
        return Sprite(self.texture.filter(ImageFilter.GaussianBlur(radius)), self.corners)


def paint(
    left: float,
    bottom: float,
    right: float,
    top: float,
    density: float,
    shade: Callable[[FloatArray, FloatArray], Paint],
) -> Sprite:
    """Paints a sprite over a rectangle of its own frame.

    Args:
        left: Smallest x of the shape, world units.
        bottom: Smallest y.
        right: Largest x.
        top: Largest y.
        density: Texture pixels per world unit.
        shade: Gives the paint at x (H, W) and y (H, W), in world units.
    """
    columns, rows = (int(np.ceil(extent * density)) + 2 * _MARGIN for extent in (right - left, top - bottom))
    start_x, start_y = left - _MARGIN / density, top + _MARGIN / density
    x, y = np.meshgrid(
        start_x + (np.arange(columns) + 0.5) / density, start_y - (np.arange(rows) + 0.5) / density
    )
    color, distance = shade(x, y)
    coverage = np.clip(0.5 - distance * density, 0, 1)
    corners = rectangle(start_x, start_y - rows / density, start_x + columns / density, start_y)
    return Sprite(premultiplied(color, coverage), corners)


def premultiplied(color: FloatArray, coverage: FloatArray) -> Image.Image:
    """Color (H, W, 3) and coverage (H, W), both in 0..1, as a texture."""
    pixels = np.concatenate([np.clip(color, 0, 1) * coverage[..., None], coverage[..., None]], axis=-1)
    data = np.ascontiguousarray((pixels * 255 + 0.5).astype(np.uint8))
    return Image.frombytes("RGBa", (data.shape[1], data.shape[0]), data.tobytes())


def disc(x: FloatArray, y: FloatArray, radius: float) -> FloatArray:
    """Signed distance to a circle around the origin."""
    return np.asarray(np.hypot(x, y) - radius)


def capsule(x: FloatArray, y: FloatArray, length: float, start: float, end: float) -> FloatArray:
    """Signed distance, nearly, to a rounded bar along x; radius ``start`` at 0, ``end`` at ``length``."""
    along = np.clip(x / length, 0, 1)
    return np.asarray(np.hypot(x - along * length, y) - (start + (end - start) * along))


def rounded_box(
    x: FloatArray, y: FloatArray, half_width: float, half_height: float, radius: float
) -> FloatArray:
    """Signed distance to a rectangle with rounded corners around the origin."""
    outside_x, outside_y = np.abs(x) - half_width + radius, np.abs(y) - half_height + radius
    outside = np.hypot(np.maximum(outside_x, 0), np.maximum(outside_y, 0))
    return np.asarray(outside + np.minimum(np.maximum(outside_x, outside_y), 0) - radius)


def roundness(offset: FloatArray, radius: FloatArray | float) -> FloatArray:
    """Brightness, around 1, across a cylinder lit from the viewer's side, from the offset to its axis."""
    across = np.clip(offset / radius, -1, 1)
    facing = np.sqrt(1 - 0.94 * across**2)
    return np.asarray(0.42 + 0.62 * facing + 0.35 * np.exp(-(((across - 0.35) / 0.18) ** 2)))
