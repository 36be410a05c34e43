"""How the arm looks: painted, worn metal in one of several colors."""

from dataclasses import dataclass

import numpy as np

from vidrep_pipelines.common.arrays import FloatArray
from vidrep_pipelines.data.sample_world.arm import FINGER, FOREARM, PALM, SHOULDER, UPPER_ARM
from vidrep_pipelines.data.sample_world.materials import COLORS, ColorName, blend, grain
from vidrep_pipelines.data.sample_world.sprite import (
    Paint,
    Sprite,
    capsule,
    disc,
    paint,
    rounded_box,
    roundness,
)

_STEEL = np.array([0.55, 0.56, 0.58])
_DARK = np.array([0.17, 0.17, 0.19])


@dataclass(frozen=True)
class ArmSprites:
    """The arm's pieces, each in the frame of its joint with x along the link."""

    base: Sprite
    upper_arm: Sprite
    forearm: Sprite
    hand: Sprite
    outer_finger: Sprite
    inner_finger: Sprite


def paint_arm(rng: np.random.Generator, density: float, color: ColorName) -> ArmSprites:
    """Paints an arm of a color at ``density`` texture pixels per world unit."""
    coat = np.array(COLORS[color])
    finger = _finger(rng, density)
    return ArmSprites(
        base=_base(rng, density, coat * 0.8),
        upper_arm=_link(rng, density, coat, UPPER_ARM, (0.115, 0.085)),
        forearm=_link(rng, density, coat, FOREARM, (0.085, 0.06)),
        hand=_hand(rng, density),
        outer_finger=finger,
        inner_finger=Sprite(finger.texture, finger.corners * (1, -1)),
    )


def _worn(rng: np.random.Generator, coat: FloatArray, x: FloatArray) -> FloatArray:
    """Paint with dirt, and with scratches down to the steel."""
    dirt = 1 + 0.08 * grain(rng, x, (4, 8), 5)
    scratched = np.where(grain(rng, x, (8, 8)) > 2.0, 0.7, 0.0)
    return blend(coat * dirt[..., None], _STEEL, scratched)


def _bolt(color: FloatArray, x: FloatArray, y: FloatArray, center: float, radius: float) -> FloatArray:
    """A joint's cap with a rim, lit from the upper left."""
    distance = disc(x - center, y, radius)
    light = 0.9 + 0.5 * (y - (x - center)) / (radius * 2)
    cap = (
        _STEEL
        * light[..., None]
        * np.where(np.abs(distance + 0.35 * radius) < 0.1 * radius, 0.6, 1)[..., None]
    )
    return blend(
        blend(color, _DARK, (np.abs(distance) < 0.012).astype(float)), cap, (distance < 0).astype(float)
    )


def _link(
    rng: np.random.Generator, density: float, coat: FloatArray, length: float, radii: tuple[float, float]
) -> Sprite:
    start, end = radii

    def shade(x: FloatArray, y: FloatArray) -> Paint:
        radius = start + (end - start) * np.clip(x / length, 0, 1)
        color = _worn(rng, coat, x) * roundness(y, radius)[..., None]
        stripe = np.abs(x - 0.62 * length) < 0.035
        color = np.where(stripe[..., None], _DARK * roundness(y, radius)[..., None] * 1.3, color)
        groove = (np.abs(y) < 0.02) & (x > 0.2 * length) & (x < 0.5 * length)
        color = np.where(groove[..., None], color * 0.45, color)
        color = _bolt(_bolt(color, x, y, 0.0, start * 0.62), x, y, length, end * 0.6)
        return Paint(color, capsule(x, y, length, start, end))

    return paint(-start, -start, length + end, start, density, shade)


def _base(rng: np.random.Generator, density: float, coat: FloatArray) -> Sprite:
    """The pedestal, in a frame whose origin is on the table below the shoulder."""
    height = SHOULDER[1]

    def shade(x: FloatArray, y: FloatArray) -> Paint:
        half_width = 0.13 + 0.07 * np.clip(1 - y / height, 0, 1)
        column = np.maximum(np.abs(x) - half_width, np.maximum(-y, y - height))
        foot = rounded_box(x, y - 0.035, 0.27, 0.045, 0.02)
        turret = disc(x, y - height, 0.15)
        distance = np.minimum(np.minimum(column, foot), turret)
        color = _worn(rng, coat, x) * roundness(-x, half_width + 0.06)[..., None]
        color = np.where((foot < 0)[..., None], _DARK * 1.4 * roundness(-x, 0.3)[..., None], color)
        plate = rounded_box(x + 0.02, y - 0.17, 0.07, 0.035, 0.01) < 0
        return Paint(np.where(plate[..., None], np.array([0.85, 0.82, 0.7]), color), distance)

    return paint(-0.3, -0.02, 0.3, height + 0.16, density, shade)


def _hand(rng: np.random.Generator, density: float) -> Sprite:
    def shade(x: FloatArray, y: FloatArray) -> Paint:
        palm = rounded_box(x - 0.10, y, 0.07, 0.075, 0.02)
        rail = rounded_box(x - PALM, y, 0.022, 0.19, 0.01)
        cuff = capsule(x, y, 0.08, 0.055, 0.055)
        color = _worn(rng, _DARK * 1.7, x) * roundness(y, 0.09)[..., None]
        color = np.where((rail < 0)[..., None], _STEEL * (0.8 + 1.2 * (y + 0.05))[..., None], color)
        color = _bolt(color, x, y, 0.0, 0.04)
        return Paint(color, np.minimum(np.minimum(palm, rail), cuff))

    return paint(-0.06, -0.2, PALM + 0.03, 0.2, density, shade)


def _finger(rng: np.random.Generator, density: float) -> Sprite:
    """A finger whose inner side lies on y = 0 and whose root is at x = 0."""

    def shade(x: FloatArray, y: FloatArray) -> Paint:
        bar = capsule(x, y - 0.024 - 0.012 * np.sin(np.pi * x / FINGER), FINGER - 0.02, 0.026, 0.018)
        color = _worn(rng, _STEEL * 1.1, x) * roundness(y - 0.03, 0.035)[..., None]
        pad = (y < 0.018) & (x > 0.06)
        return Paint(np.where(pad[..., None], _DARK * 1.2, color), bar)

    return paint(-0.03, -0.01, FINGER + 0.01, 0.075, density, shade)
