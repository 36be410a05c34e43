"""From frames and first labels to what the propagation computes with, equal to what the published code sees.

Most published implementations resize by OpenCV, whose bilinear filter looks at two by two pixels however much
an image shrinks. On 8-bit images it works with 11-bit weights and truncates in between; that arithmetic is
repeated here to the bit, so that OpenCV is not needed. Those of 2025 resize by Pillow.
"""

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vidrep_pipelines.common.arrays import Pixels, SingleArray, Triple
from vidrep_pipelines.common.config import FrozenConfig
from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.evaluation.label_propagation.config import FrameResize, FrameSize

IMAGE_MEAN = (0.485, 0.456, 0.406)
PUBLISHED_STD = (0.228, 0.224, 0.225)
"""Standard deviation in DINO's propagation script and those derived from it; the first is not ImageNet's."""
IMAGENET_STD = (0.229, 0.224, 0.225)

_PILLOW = {"bicubic": Image.Resampling.BICUBIC, "lanczos": Image.Resampling.LANCZOS}
_LONG_SIDE_STEP = 64
_WEIGHT_BITS = 11
_BYTE = np.float32(255)


class FrameNormalization(FrozenConfig):
    """What pixel values between 0 and 1 are shifted and scaled by, for red, green and blue."""

    mean: Triple = IMAGE_MEAN
    """Subtracted."""

    std: Triple = PUBLISHED_STD
    """Divided by. Variant W uses ImageNet's, 0.229 for red."""


def network_size(height: int, width: int, frame_size: FrameSize, stride: int) -> tuple[int, int]:
    """Height and width at which the encoder sees frames of a size.

    Args:
        height: Height of the frame as stored, in pixels.
        width: Width of the frame as stored, in pixels.
        frame_size: How to choose the size. With ``native``, what the stride does not divide is resized away.
        stride: Pixels per cell of the encoder's grid.

    Raises:
        ConfigurationError: The rule lacks its lengths, the stride does not divide the result, or nothing
            would be left of a side.
    """
    short, long = sorted((height, width))
    match frame_size.rule, frame_size.sides:
        case "short_side", (side,):
            sides = (side, long * side // (short * _LONG_SIDE_STEP) * _LONG_SIDE_STEP)
        case "short_side_up", (side,):
            rounded = _rounded_up(side, stride)
            sides = (rounded, _rounded_up(long * rounded / short, stride))
        case "long_side", (side,):
            sides = (short * side // (long * _LONG_SIDE_STEP) * _LONG_SIDE_STEP, side)
        case "exact", (exact_height, exact_width):
            return _divisible((exact_height, exact_width), stride)
        case "native", ():
            return _divisible((height // stride * stride, width // stride * stride), stride)
        case rule, lengths:
            raise ConfigurationError(
                f"frame_size: the rule {rule!r} does not go with sides={list(lengths)}. Remedy: one length "
                "for short_side, short_side_up and long_side, height and width for exact, none for native."
            )
    return _divisible(sides if height <= width else (sides[1], sides[0]), stride)


def _rounded_up(length: float, step: int) -> int:
    return math.ceil(length / step) * step


def _divisible(size: tuple[int, int], stride: int) -> tuple[int, int]:
    if not all(side > 0 and side % stride == 0 for side in size):
        raise ConfigurationError(
            f"frame_size: frames would become {size[1]}x{size[0]}, which the encoder's stride {stride} does "
            "not divide. Remedy: choose other lengths."
        )
    return size


def prepare_frame(
    pixels: Pixels,
    size: tuple[int, int],
    normalization: FrameNormalization,
    *,
    rounded: bool,
    resize: FrameResize = "opencv",
) -> SingleArray:
    """Resizes and normalizes a frame for the encoder.

    Args:
        pixels: (H, W, 3), RGB, 0 to 255.
        size: Height h and width w of the result, see :func:`network_size`.
        normalization: Mean and standard deviation.
        rounded: OpenCV: resize the bytes, which rounds (variant D), or values between 0 and 1 (variant W).
        resize: How the size is reached.

    Returns:
        (3, h, w).
    """
    if resize != "opencv":
        image = Image.fromarray(pixels).resize((size[1], size[0]), _PILLOW[resize])
        values = np.asarray(image).astype(np.float32) / _BYTE
    elif rounded:
        values = resize_bytes(pixels, *size).astype(np.float32) / _BYTE
    else:
        values = resize_floats(pixels.astype(np.float32) / _BYTE, *size)
    values -= np.array(normalization.mean, np.float32)
    values /= np.array(normalization.std, np.float32)
    return np.ascontiguousarray(values.transpose(2, 0, 1))


def resize_bytes(pixels: Pixels, height: int, width: int) -> Pixels:
    """Bilinear, without smoothing, to the bit as OpenCV resizes 8-bit images.

    Args:
        pixels: (H, W, C), 0 to 255.
        height: Height of the result in pixels.
        width: Width of the result in pixels.

    Returns:
        (height, width, C).
    """
    if pixels.shape[:2] == (height, width):
        return pixels
    top, bottom, share_y = _neighbors(pixels.shape[0], height)
    left, right, share_x = _neighbors(pixels.shape[1], width)
    low_x, high_x = (weight[:, None] for weight in _integer_weights(share_x))
    low_y, high_y = (weight[:, None, None] for weight in _integer_weights(share_y))
    # The sums of a row have 19 bits; four are dropped so that the product with a weight has 26.
    rows = pixels[:, left].astype(np.int32) * low_x + pixels[:, right].astype(np.int32) * high_x >> 4
    blended = (rows[top] * low_y >> 16) + (rows[bottom] * high_y >> 16)
    return ((blended + 2) >> 2).astype(np.uint8)


def resize_floats(values: SingleArray, height: int, width: int) -> SingleArray:
    """Bilinear, without smoothing, as OpenCV resizes images of floats: (H, W, C) to (height, width, C)."""
    if values.shape[:2] == (height, width):
        return values
    top, bottom, share_y = _neighbors(values.shape[0], height)
    left, right, share_x = _neighbors(values.shape[1], width)
    high_x, high_y = share_x[:, None], share_y[:, None, None]
    rows: SingleArray = values[:, left] * (1 - high_x) + values[:, right] * high_x
    resized: SingleArray = rows[top] * (1 - high_y) + rows[bottom] * high_y
    return resized


def _neighbors(old: int, new: int) -> tuple[NDArray[np.intp], NDArray[np.intp], SingleArray]:
    """For each new position the two old ones around it, and the share of the second.

    Beyond the border both are the outermost one, and the shares are kept: as published, each of the two
    products is then truncated for itself.
    """
    places = ((np.arange(new) + 0.5) * (old / new) - 0.5).astype(np.float32)
    first = np.floor(places)
    share = (places - first).astype(np.float32)
    first = first.astype(np.intp)
    return first.clip(0, old - 1), (first + 1).clip(0, old - 1), share


def _integer_weights(share: SingleArray) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Weights of the first and the second neighbor in units of 1/2048, each rounded for itself."""
    scale = np.float32(1 << _WEIGHT_BITS)
    return np.rint((1 - share) * scale).astype(np.int32), np.rint(share * scale).astype(np.int32)


def resize_labels(labels: Pixels, height: int, width: int) -> Pixels:
    """Nearest label as Pillow chooses it: (H, W) to (height, width)."""
    resized = Image.fromarray(labels).resize((width, height), Image.Resampling.NEAREST)
    return np.asarray(resized)


def resize_labels_by_opencv(labels: Pixels, height: int, width: int) -> Pixels:
    """Nearest label as OpenCV chooses it: (H, W) to (height, width); the one at or before each place."""
    rows, columns = (
        np.minimum(np.floor(np.arange(count) * (size / count)).astype(np.int64), size - 1)
        for count, size in zip((height, width), labels.shape, strict=True)
    )
    resized: Pixels = labels[rows[:, None], columns]
    return resized


def nearest_one_hot(labels: Pixels, height: int, width: int) -> SingleArray:
    """First labels of variant D on the grid, (1 + largest label, height, width).

    The grid takes the nearest label, so that an object that falls between the cells is lost; the channels go
    up to the largest label that is left.

    Args:
        labels: (H, W) palette indices.
        height: Height of the grid in cells.
        width: Width of the grid in cells.
    """
    small = resize_labels(labels, height, width)
    classes = np.arange(int(small.max()) + 1, dtype=np.uint8)
    maps: SingleArray = (small == classes[:, None, None]).astype(np.float32)
    return maps


def bilinear_one_hot(labels: Pixels, height: int, width: int) -> tuple[SingleArray, Pixels]:
    """First labels of variant W on the grid: one map per distinct label, resized as an image of floats.

    Args:
        labels: (H, W) palette indices.
        height: Height of the grid in cells.
        width: Width of the grid in cells.

    Returns:
        Maps (C, height, width) and the label (C,) that each stands for, ascending.
    """
    classes: Pixels = np.unique(labels)
    maps: SingleArray = (labels[..., None] == classes).astype(np.float32)
    return np.ascontiguousarray(resize_floats(maps, height, width).transpose(2, 0, 1)), classes
