"""Textures of surfaces: noise, wood, cloth, stone, tiles, and colored prints of the photographs."""

from typing import Literal

import numpy as np
from PIL import Image

from vidrep_pipelines.common.arrays import FloatArray
from vidrep_pipelines.data.sample_world.photographs import patch

ColorName = Literal["red", "blue", "green", "yellow", "orange", "purple", "white", "black"]

COLORS: dict[ColorName, tuple[float, float, float]] = {
    "red": (0.78, 0.12, 0.11),
    "blue": (0.13, 0.28, 0.72),
    "green": (0.16, 0.52, 0.22),
    "yellow": (0.90, 0.74, 0.14),
    "orange": (0.89, 0.43, 0.09),
    "purple": (0.46, 0.20, 0.58),
    "white": (0.88, 0.87, 0.84),
    "black": (0.13, 0.13, 0.15),
}
TableKind = Literal["wood", "cloth", "stone", "tiles"]
TABLES: tuple[TableKind, ...] = ("wood", "cloth", "stone", "tiles")


def noise(
    rng: np.random.Generator, height: int, width: int, cells: tuple[int, int], octaves: int = 4
) -> FloatArray:
    """Fractal noise (height, width), mean about 0 and standard deviation about 1.

    Args:
        rng: Source of the values.
        height: Rows.
        width: Columns.
        cells: Random values of the coarsest octave, down and across; each further octave has twice as many.
        octaves: How many octaves are added, each half as strong as the one before.
    """
    total = np.zeros((height, width))
    for octave in range(octaves):
        rows, columns = (
            min(count << octave, size) for count, size in zip(cells, (height, width), strict=True)
        )
        grid = Image.fromarray(rng.standard_normal((rows + 1, columns + 1)).astype(np.float32))
        total += np.asarray(grid.resize((width, height), Image.Resampling.BICUBIC)) * 0.5**octave
    return np.asarray(total / (total.std() + 1e-6))


def grain(rng: np.random.Generator, like: FloatArray, cells: tuple[int, int], octaves: int = 4) -> FloatArray:
    """Fractal noise as ``noise``, of the size of ``like`` (H, W)."""
    return noise(rng, like.shape[0], like.shape[1], cells, octaves)


def blend(first: FloatArray, second: FloatArray, share: FloatArray) -> FloatArray:
    """Mixes two colors (3,) or pictures (H, W, 3) by ``share`` (H, W) of the second."""
    weight = np.clip(share, 0, 1)[..., None]
    return np.asarray(first * (1 - weight) + second * weight)


def table_top(kind: TableKind, rng: np.random.Generator, size: int = 512) -> FloatArray:
    """The surface of the table, (size, size, 3) in 0..1; its rows run from the far edge to the near one."""
    painters = {"wood": _wood, "cloth": _cloth, "stone": _stone, "tiles": _tiles}
    return np.asarray(np.clip(painters[kind](rng, size), 0.02, 1))


def _wood(rng: np.random.Generator, size: int) -> FloatArray:
    down = np.mgrid[0:size, 0:size][0] / size
    planks = int(rng.integers(4, 8))
    plank = np.minimum((down * planks).astype(int), planks - 1)
    drift = noise(rng, size, size, (6, 2)) * 0.05
    rings = np.sin(
        2 * np.pi * (down * planks * rng.uniform(2, 4) + 9 * drift + rng.uniform(0, 9, planks)[plank])
    )
    grain = noise(rng, size, size, (128, 4), 2)
    light = np.array(rng.uniform((0.52, 0.34, 0.18), (0.78, 0.58, 0.36)))
    share = 0.35 + 0.18 * rings + 0.13 * grain + rng.uniform(-0.12, 0.12, planks)[plank]
    surface = blend(light, light * (0.5, 0.43, 0.36), share)
    seam = np.abs(down * planks - np.round(down * planks)) < 0.02
    return np.asarray(surface * np.where(seam & (down > 0.02), 0.45, 1.0)[..., None])


def _cloth(rng: np.random.Generator, size: int) -> FloatArray:
    down, across = np.mgrid[0:size, 0:size] / size
    count = int(rng.integers(8, 14))
    stripes = [(np.sin(2 * np.pi * count * axis) > 0).astype(float) for axis in (down, across)]
    names = list(COLORS)[:6]
    ground, color = np.array(COLORS["white"]), np.array(COLORS[names[int(rng.integers(len(names)))]])
    surface = blend(ground, color * 0.8 + 0.1, 0.42 * (stripes[0] + stripes[1]))
    weave = 1 + 0.05 * noise(rng, size, size, (128, 128), 2) + 0.07 * noise(rng, size, size, (3, 4))
    return np.asarray(surface * weave[..., None] * 0.86)


def _stone(rng: np.random.Generator, size: int) -> FloatArray:
    cloudy = noise(rng, size, size, (4, 4), 6)
    veins = np.exp(-np.abs(noise(rng, size, size, (3, 3), 5)) * 14)
    base = np.array(rng.uniform((0.42, 0.41, 0.40), (0.68, 0.66, 0.63)))
    surface = base * (1 + 0.14 * cloudy[..., None])
    return blend(surface, base * 0.45 if rng.integers(2) else np.full(3, 0.9), 0.5 * veins)


def _tiles(rng: np.random.Generator, size: int) -> FloatArray:
    count = int(rng.integers(5, 8))
    side = size // count + 1
    prints = [colored(patch(rng, side) / 255, np.array([0.62, 0.57, 0.5])) for _ in range(3)]
    rows = [
        np.concatenate([prints[int(rng.integers(3))] for _ in range(count)], axis=1) for _ in range(count)
    ]
    surface = np.concatenate(rows)[:size, :size]
    position = np.arange(size) % side
    joint = (position < 3) | (position > side - 3)
    return np.asarray(np.where(joint[:, None, None] | joint[None, :, None], 0.33, surface))


def colored(picture: FloatArray, color: FloatArray) -> FloatArray:
    """Prints a picture (H, W, 3) in 0..1 in one color: light and dark stay, the hue becomes the color's."""
    light = picture.mean(-1)
    relief = (light - light.mean()) / (light.std() + 1e-3)
    tinted = color * (1 + 0.28 * np.clip(relief, -2.2, 2.2))[..., None]
    return np.asarray(np.clip(0.85 * tinted + 0.15 * picture * color.mean() * 1.5, 0.01, 1))
