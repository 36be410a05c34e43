"""Arrays, plane rotations and the homography between a texture and its place in the picture."""

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
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


def homography(source: FloatArray, target: FloatArray) -> FloatArray:
    """The eight coefficients that map four ``source`` points (4, 2) to four ``target`` points (4, 2).

    ``(x, y) -> ((a x + b y + c) / (g x + h y + 1), (d x + e y + f) / (g x + h y + 1))``, in the order a to h.
    """
    x, y = source[:, 0], source[:, 1]
    system = np.zeros((8, 8))
    system[:4, 0], system[:4, 1], system[:4, 2] = x, y, 1.0
    system[4:, 3], system[4:, 4], system[4:, 5] = x, y, 1.0
    system[:4, 6], system[:4, 7] = -x * target[:, 0], -y * target[:, 0]
    system[4:, 6], system[4:, 7] = -x * target[:, 1], -y * target[:, 1]
    return np.asarray(np.linalg.solve(system, target.T.reshape(-1)), dtype=np.float64)
