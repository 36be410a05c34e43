"""Arrays, plane rotations and the homography between a texture and its place in the picture."""

import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.common.arrays import FloatArray

_SMALLEST_AREA = 0.02  # square pixels
ByteArray = NDArray[np.uint8]


def rotation(angle: float) -> FloatArray:
    """The (2, 2) matrix that turns a column vector counter-clockwise by ``angle`` radians."""
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.array([[cosine, -sine], [sine, cosine]])


def rectangle(left: float, bottom: float, right: float, top: float) -> FloatArray:
    """Corners (4, 2) in a texture's order: top left, top right, bottom right, bottom left."""
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]], dtype=np.float64)


def upright(corners: FloatArray, x: float, y: float, z: float, angle: float = 0.0) -> FloatArray:
    """Places plane corners (N, 2) in the world (N, 3), turned by ``angle`` and parallel to the x-y plane."""
    placed = corners @ rotation(angle).T + (x, y)
    return np.column_stack([placed, np.full(len(placed), z)])


def homography(corners: FloatArray, width: int, height: int) -> tuple[float, ...] | None:
    """The eight coefficients that map a quadrilateral in the picture to a texture.

    ``(x, y) -> ((a x + b y + c) / (g x + h y + 1), (d x + e y + f) / (g x + h y + 1))``, in the order a to h;
    the closed form of Heckbert, Fundamentals of Texture Mapping and Image Warping, 1989, section 2.2.3.

    Args:
        corners: Pixels (4, 2) of the texture's top left, top right, bottom right and bottom left corner.
        width: Width of the texture in pixels.
        height: Height of the texture in pixels.

    Returns:
        None if the quadrilateral is seen edge-on, so that there is nothing to map.
    """
    (x0, y0), (x1, y1), (x2, y2), (x3, y3) = corners.tolist()
    across_x, across_y, down_x, down_y = x1 - x2, y1 - y2, x3 - x2, y3 - y2
    skew_x, skew_y = x0 - x1 + x2 - x3, y0 - y1 + y2 - y3
    area = across_x * down_y - down_x * across_y
    if abs(area) < _SMALLEST_AREA:
        return None
    g, h = (skew_x * down_y - down_x * skew_y) / area, (across_x * skew_y - skew_x * across_y) / area
    a, b, c = x1 - x0 + g * x1, x3 - x0 + h * x3, x0
    d, e, f = y1 - y0 + g * y1, y3 - y0 + h * y3, y0
    scale = a * e - b * d
    if abs(scale) < _SMALLEST_AREA:
        return None
    column = ((e - f * h) * width, (c * h - b) * width, (b * f - c * e) * width)
    row = ((f * g - d) * height, (a - c * g) * height, (c * d - a * f) * height)
    return tuple(value / scale for value in (*column, *row, d * h - e * g, b * g - a * h))
