"""What stands around: the photograph behind the table, things on it, plants in front of the camera."""

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from vidrep_pipelines.common.arrays import FloatArray
from vidrep_pipelines.data.sample_world.geometry import rectangle
from vidrep_pipelines.data.sample_world.materials import COLORS, ColorName, grain
from vidrep_pipelines.data.sample_world.photographs import (
    PHOTOGRAPHS,
    bloom,
    leaf_surface,
    patch,
    photograph,
)
from vidrep_pipelines.data.sample_world.sprite import (
    Paint,
    Sprite,
    capsule,
    disc,
    paint,
    premultiplied,
    rounded_box,
    roundness,
)

_STEM = np.array([0.16, 0.33, 0.13])


def backdrop(rng: np.random.Generator) -> Image.Image:
    """A view of a photograph, RGB: part of it, perhaps mirrored, graded, slightly out of focus."""
    view = photograph(PHOTOGRAPHS[int(rng.integers(2))])
    share = float(rng.uniform(0.72, 1.0))
    width, height = int(view.width * share), int(view.height * share)
    left, top = int(rng.integers(view.width - width + 1)), int(rng.integers(view.height - height + 1))
    view = view.crop((left, top, left + width, top + height)).resize((640, 427), Image.Resampling.BICUBIC)
    if rng.integers(2):
        view = ImageOps.mirror(view)
    view = ImageEnhance.Color(view).enhance(float(rng.uniform(0.6, 1.15)))
    view = ImageEnhance.Brightness(view).enhance(float(rng.uniform(0.7, 1.05)))
    return view.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.9, 2.4))))


def framed_photograph(rng: np.random.Generator, density: float) -> Sprite:
    """A photograph in a frame, standing on y = 0."""
    half_width, half_height = float(rng.uniform(0.26, 0.36)), float(rng.uniform(0.24, 0.34))
    wood = np.array(rng.uniform((0.15, 0.1, 0.06), (0.5, 0.36, 0.24)))
    picture = patch(rng, 128) / 255

    def shade(x: FloatArray, y: FloatArray) -> Paint:
        inner = rounded_box(x, y - half_height, half_width - 0.05, half_height - 0.05, 0.0)
        row = np.clip((1 - (y - half_height) / half_height) * 64, 0, 127).astype(int)
        column = np.clip((x / half_width + 1) * 64, 0, 127).astype(int)
        bevel = wood * (1 + 0.5 * np.sin((x - y) * 8))[..., None]
        mat = (inner > -0.025)[..., None]
        color = np.where(mat, np.array([0.86, 0.85, 0.82]), picture[row, column])
        color = np.where((inner > 0)[..., None], bevel, color)
        return Paint(color, rounded_box(x, y - half_height, half_width, half_height, 0.01))

    return paint(-half_width, 0, half_width, 2 * half_height, density, shade)


def books(rng: np.random.Generator, density: float) -> Sprite:
    """A pile of books lying on y = 0."""
    count = int(rng.integers(2, 5))
    names = list(COLORS)
    colors = np.array([COLORS[names[int(rng.integers(len(names)))]] for _ in range(count)]) * 0.75
    thick, widths = rng.uniform(0.06, 0.11, count), rng.uniform(0.24, 0.36, count)
    shifts, floors = rng.uniform(-0.05, 0.05, count), np.concatenate([[0.0], np.cumsum(thick)])

    def shade(x: FloatArray, y: FloatArray) -> Paint:
        which = np.clip(np.searchsorted(floors, y, side="right") - 1, 0, count - 1)
        middle = floors[which] + thick[which] / 2
        distance = rounded_box(x - shifts[which], 0 * y, 1.0, 1.0, 0.0)
        distance = np.maximum(np.abs(x - shifts[which]) - widths[which], np.maximum(-y, y - floors[-1]))
        band = np.abs((x - shifts[which]) / widths[which])
        color = colors[which] * roundness(-(y - middle), thick[which] / 2 + 0.01)[..., None]
        title = (band < 0.45) & (np.abs(y - middle) < 0.2 * thick[which])
        color = np.where(title[..., None], np.array([0.85, 0.78, 0.55]), color)
        color = color * (1 + 0.07 * grain(rng, x, (4, 6)))[..., None]
        return Paint(color, distance)

    return paint(-0.42, 0, 0.42, float(floors[-1]), density, shade)


def flower(rng: np.random.Generator, density: float) -> Sprite:
    """The dahlia on its stem, rooted at the origin and growing up."""
    height, radius = float(rng.uniform(0.6, 0.8)), float(rng.uniform(0.17, 0.24))
    lean = float(rng.uniform(-0.1, 0.1))

    def stem(x: FloatArray, y: FloatArray) -> Paint:
        bent = x - lean * np.clip(y / height, 0, 1) ** 2
        color = _STEM * roundness(-bent, 0.02)[..., None]
        return Paint(color, np.maximum(np.abs(bent) - 0.016, np.maximum(-y, y - height)))

    sprite = paint(-0.5, 0, 0.5, height + radius, density, stem)
    texture = sprite.texture.copy()
    size = int(2 * radius * density)
    head = bloom().rotate(float(rng.uniform(0, 360)), Image.Resampling.BICUBIC).resize((size, size))
    scale = texture.width / (sprite.corners[1, 0] - sprite.corners[0, 0])
    left = int((lean - sprite.corners[0, 0]) * scale - size / 2)
    top = int((sprite.corners[0, 1] - height) * scale - size / 2)
    whole = texture.convert("RGBA")
    whole.alpha_composite(head, (left, max(top, 0)))
    return Sprite(whole.convert("RGBa"), sprite.corners)


def leaves(rng: np.random.Generator, density: float) -> Sprite:
    """A branch with the texture of a photographed leaf on its leaves, rooted at the origin, growing up."""
    count = int(rng.integers(6, 10))
    surface = (
        leaf_surface() / 255 * float(rng.uniform(1.0, 2.0)) * rng.uniform((0.8, 0.9, 0.4), (1.3, 1.1, 0.8))
    )
    roots, turns = np.linspace(0.1, 0.72, count), rng.uniform(0.3, 1.15, count)
    lengths, tones = rng.uniform(0.3, 0.46, count), rng.uniform(0.65, 1.2, count)

    def shade(x: FloatArray, y: FloatArray) -> Paint:
        distance = np.where(y < 0.75, np.abs(x) - 0.012, 1.0)
        color = np.broadcast_to(_STEM, (*x.shape, 3))
        for index in range(count):
            angle = np.pi / 2 + turns[index] * (1 if index % 2 else -1)
            along = x * np.cos(angle) + (y - roots[index]) * np.sin(angle)
            across = -x * np.sin(angle) + (y - roots[index]) * np.cos(angle)
            leaf, veined = _leaf(surface, along / lengths[index], across / lengths[index])
            nearer = leaf * lengths[index]
            color = np.where((nearer < 0)[..., None], veined * tones[index], color)
            distance = np.minimum(distance, nearer)
        return Paint(color, distance)

    return paint(-0.5, 0, 0.5, 1.15, density, shade)


def _leaf(surface: FloatArray, along: FloatArray, across: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Signed distance and color of a leaf of length 1 along x."""
    half_width = 0.2 * np.sin(np.pi * np.clip(along, 0, 1) ** 0.8)
    distance = np.maximum(np.abs(across) - half_width, np.maximum(-along, along - 1))
    row = np.clip(along * (surface.shape[0] - 1), 0, surface.shape[0] - 1).astype(int)
    column = np.clip((across / 0.4 + 0.5) * (surface.shape[1] - 1), 0, surface.shape[1] - 1).astype(int)
    vein = np.abs(across) < 0.012
    ribs = 1 + 0.12 * np.sin((along - np.abs(across) * 1.4) * 50)
    side = np.where(across > 0, 1.2, 0.85)
    color = surface[row, column] * (ribs * side)[..., None] + 0.02
    return distance, np.where(vein[..., None], color * 1.5, color)


def string_sprite(color: ColorName, length: float) -> Sprite:
    """A thin string hanging up from the origin."""

    def shade(x: FloatArray, y: FloatArray) -> Paint:
        twist = 0.8 + 0.3 * np.sin(y * 160 + x * 300)
        return Paint(np.array(COLORS[color]) * twist[..., None], capsule(y, x, length, 0.011, 0.011))

    return paint(-0.012, 0, 0.012, length, 140, shade)


def drop_sprite(color: ColorName, density: float, radius: float = 0.017) -> Sprite:
    """A grain of something poured."""

    def shade(x: FloatArray, y: FloatArray) -> Paint:
        light = 0.85 + 0.5 * (y - x) / radius
        return Paint(np.array(COLORS[color]) * light[..., None], disc(x, y, radius))

    return paint(-radius, -radius, radius, radius, density, shade)


def surface(color: FloatArray) -> Image.Image:
    """An opaque picture (H, W, 3) in 0..1 as a texture."""
    return premultiplied(color, np.ones(color.shape[:2]))


def table_corners(left: float, right: float, far: float, near: float) -> FloatArray:
    """Corners (4, 3) of a rectangle lying on the table, its far edge first."""
    flat = rectangle(left, near, right, far)
    return np.column_stack([flat[:, 0], np.zeros(4), flat[:, 1]])
