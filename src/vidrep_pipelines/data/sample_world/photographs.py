"""The two photographs that come with scikit-learn, and things cut out of them.

"china.jpg" (a pavilion above a lake) and "flower.jpg" (a dahlia among leaves), 640 x 427, Creative Commons
Attribution, see scikit-learn's ``datasets/images/README.txt``. They are read from the installed package,
without importing it.
"""

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image, ImageFilter

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.sample_world.geometry import ByteArray

PhotographName = Literal["china", "flower"]
PHOTOGRAPHS: tuple[PhotographName, ...] = ("china", "flower")
_BLOOM = (308, 219, 142)  # center and radius of the dahlia in flower.jpg, in pixels
_LEAF = (0, 90, 130, 320)  # left, top, right, bottom of the sharpest leaf in flower.jpg


@cache
def photograph(name: PhotographName) -> Image.Image:
    """One of the photographs, RGB.

    Raises:
        InputError: The installed scikit-learn does not contain it.
    """
    spec = find_spec("sklearn")
    folders = [] if spec is None else list(spec.submodule_search_locations or [])
    for folder in folders:
        path = Path(folder) / "datasets" / "images" / f"{name}.jpg"
        if path.is_file():
            return Image.open(path).convert("RGB")
    raise InputError(f"{name}.jpg of scikit-learn is not installed: reinstall the package scikit-learn")


@cache
def bloom() -> Image.Image:
    """The dahlia, cut out of its picture (RGBA, square)."""
    x, y, radius = _BLOOM
    flower = photograph("flower").crop((x - radius, y - radius, x + radius, y + radius))
    pixels = np.asarray(flower).astype(np.int16)
    grid = np.hypot(*np.meshgrid(np.arange(2 * radius) - radius, np.arange(2 * radius) - radius))
    warm = (pixels[..., 0] - pixels[..., 2] > 25) & (pixels[..., 0] > 95) & (grid < radius)
    coverage = Image.fromarray((warm * 255).astype(np.uint8)).filter(ImageFilter.MedianFilter(9))
    flower.putalpha(coverage.filter(ImageFilter.GaussianBlur(1)))
    return flower


@cache
def leaf_surface() -> ByteArray:
    """The surface of a leaf, (230, 130, 3)."""
    return np.asarray(photograph("flower").crop(_LEAF))


def patch(rng: np.random.Generator, size: int) -> ByteArray:
    """A random square of one of the photographs, turned and mirrored at random, (size, size, 3)."""
    source = photograph(PHOTOGRAPHS[int(rng.integers(2))])
    side = int(rng.integers(70, 200))
    left = int(rng.integers(0, source.width - side))
    top = int(rng.integers(source.height // 4, source.height - side))
    picture = source.crop((left, top, left + side, top + side)).resize((size, size), Image.Resampling.BICUBIC)
    turned = np.rot90(np.asarray(picture), int(rng.integers(4)))
    return np.ascontiguousarray(turned[:, ::-1] if rng.integers(2) else turned)
