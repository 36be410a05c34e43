"""Frames and label maps as image files."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

from vidrep_pipelines.common.arrays import Pixels
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.common.foreign_file import disguise_of
from vidrep_pipelines.common.foreign_image import ForeignImageError, opened_image

FRAME_SUFFIXES = (".jpg", ".jpeg", ".png")
LABEL_SUFFIX = ".png"

_GRAY_MODES = ("L", "1")
_COLORED = 22


def _color(index: int) -> tuple[int, int, int]:
    """The bits of the index, three at a time, give the upper bits of red, green and blue (Pascal VOC)."""
    if index >= _COLORED:
        return (index, index, index)
    red, green, blue = (
        sum((index >> 3 * place + channel & 1) << 7 - place for place in range(3)) for channel in range(3)
    )
    return (min(red, 191), min(green, 191), min(blue, 191))  # DAVIS has 191 where VOC has 192


DAVIS_PALETTE = tuple(value for index in range(256) for value in _color(index))
"""Red, green and blue of the 256 indices, one after the other. Only indices matter to a metric."""


def read_frame(path: Path) -> Pixels:
    """An image file as (H, W, 3) RGB.

    Raises:
        InputError: The file is missing, damaged or no image.
    """
    with _opened(path) as image:
        return np.asarray(image.convert("RGB"))


def read_labels(path: Path) -> Pixels:
    """A label map (H, W): the indices of a palette image, or the values of a gray one.

    Raises:
        InputError: The file is missing, damaged, or has colors instead of indices.
    """
    with _opened(path) as image:
        if image.mode not in ("P", "L"):
            raise InputError(f"{path} {colors_instead(image.mode)}")
        return np.asarray(image)


def labels_of(labels: Pixels) -> list[int]:
    """The labels that a map (H, W) holds, ascending."""
    # Counting is much faster than sorting all pixels.
    present: list[int] = np.flatnonzero(np.bincount(labels.ravel(), minlength=1)).tolist()
    return present


def is_two_tone(path: Path) -> bool:
    """Whether a mask is black and white, gray 0 and 255, with an object in it (DAVIS-2016).

    In a palette image 255 is void instead.

    Raises:
        InputError: The file is missing, damaged or no image.
    """
    with _opened(path) as image:
        return image.mode in _GRAY_MODES and labels_of(np.asarray(image.convert("L"))) in ([255], [0, 255])


def read_two_tone(path: Path) -> Pixels:
    """A black and white mask as a label map (H, W): 0, and 1 for the object.

    Raises:
        InputError: The file is missing, damaged, or has colors or shades of gray.
    """
    with _opened(path) as image:
        mode, pixels = image.mode, np.asarray(image.convert("L"))
    shades = [shade for shade in labels_of(pixels) if shade not in {0, 255}]
    if mode not in _GRAY_MODES or shades:
        what = f"the shade {shades[0]}" if mode in _GRAY_MODES else f"colors of mode {mode}"
        raise InputError(
            f"{path} holds {what}, but the sequence's first mask is black and white (0 and 255). Remedy: "
            "unpack the original annotations again; scaling with smoothing makes shades."
        )
    labels: Pixels = (pixels == 255).astype(np.uint8)
    return labels


def colors_instead(mode: str) -> str:
    """What is wrong with a label image of Pillow's ``mode``, as the rest of a sentence about the file."""
    return (
        f"holds no label indices: its color mode is {mode}, not P (8-bit palette). Remedy: unpack the "
        "original annotations again; tools that convert images lose the indices."
    )


def read_header(path: Path) -> tuple[int, int, str]:
    """Width, height and Pillow's color mode, without decoding the image.

    Raises:
        InputError: The file is missing or no image.
    """
    with _opened(path) as image:
        return (*image.size, image.mode)


def write_labels(path: Path, labels: Pixels) -> None:
    """Writes a label map (H, W) as an 8-bit palette PNG in DAVIS' colors."""
    image = Image.fromarray(labels)
    image.putpalette(DAVIS_PALETTE)  # turns gray values into indices
    image.save(path, format="PNG")


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """Opens an image; whatever is wrong with the file becomes an InputError that names it."""
    try:
        with opened_image(path) as image:
            yield image
    except FileNotFoundError as error:
        raise InputError(f"{path} is missing.") from error
    except ForeignImageError as error:
        if disguise := disguise_of(path):
            raise InputError(f"{path} is no readable image: {disguise}") from error
        reason = str(error).removesuffix(f" {str(path)!r}")
        raise InputError(f"{path} is no readable image ({reason}). Unpack or copy it again.") from error
