"""Mean and deviation of the pixels, from sums of whole numbers: exact, in any order, and in one pass."""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.common.errors import InputError


@dataclass(frozen=True)
class PixelStatistics:
    """Statistics per color channel of pixels in 0..1.

    Attributes:
        mean: Red, green, blue.
        std: Population standard deviation of the same.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]


def pixel_statistics(sums: Iterable[NDArray[np.int64]], pixels: int) -> PixelStatistics:
    """Puts together the sums of many views.

    Args:
        sums: (2, 3) per view, see :func:`~vidrep_pipelines.data.frame_store.shard.pixel_sums`.
        pixels: Number of pixels of all of them.

    Raises:
        InputError: There are no pixels.
    """
    if pixels == 0:
        raise InputError("There are no frames, so they have no mean. Remedy: select other views.")
    # Python's integers: the squares of a whole data set do not fit in 64 bits.
    total, squares = [0, 0, 0], [0, 0, 0]
    for view, view_squares in (pair.tolist() for pair in sums):
        total = [a + b for a, b in zip(total, view, strict=True)]
        squares = [a + b for a, b in zip(squares, view_squares, strict=True)]
    means = [Fraction(value, pixels) for value in total]
    variances = [Fraction(square, pixels) - mean**2 for square, mean in zip(squares, means, strict=True)]
    return PixelStatistics(
        tuple(float(mean / 255) for mean in means),
        tuple(sqrt(variance) / 255 for variance in variances),
    )
