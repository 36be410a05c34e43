"""J and F pixel by pixel with sets, from the definition."""

import math

import numpy as np
from numpy.typing import NDArray

Pixels = set[tuple[int, int]]


def region(truth: NDArray[np.bool_], predicted: NDArray[np.bool_]) -> float:
    inside, found = _pixels(truth), _pixels(predicted)
    return len(inside & found) / len(inside | found) if inside | found else 1.0


def contour(truth: NDArray[np.bool_], predicted: NDArray[np.bool_], tolerance: int) -> float:
    true_edge, found_edge = edge(truth), edge(predicted)
    if not true_edge or not found_edge:
        return 1.0 if true_edge == found_edge else 0.0
    precision = len(_near(found_edge, true_edge, tolerance)) / len(found_edge)
    recall = len(_near(true_edge, found_edge, tolerance)) / len(true_edge)
    return 2 * precision * recall / (precision + recall) if precision + recall > 0 else 0.0


def edge(mask: NDArray[np.bool_]) -> Pixels:
    height, width = mask.shape
    rows: list[list[bool]] = mask.tolist()  # of single elements, lists are many times faster than arrays
    return {(y, x) for y in range(height) for x in range(width) if _differs(rows, y, x)}


def score(
    annotations: NDArray[np.uint8], results: NDArray[np.uint8]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """J and F (objects, T - 2) of label maps (T, H, W)."""
    clean = np.where(annotations == 255, 0, annotations)
    tolerance = math.ceil(0.008 * math.sqrt(clean.shape[1] ** 2 + clean.shape[2] ** 2))
    objects, frames = range(1, int(clean[0].max()) + 1), range(1, len(clean) - 1)
    return (
        np.array([[region(clean[t] == k, results[t] == k) for t in frames] for k in objects]),
        np.array([[contour(clean[t] == k, results[t] == k, tolerance) for t in frames] for k in objects]),
    )


def _differs(rows: list[list[bool]], y: int, x: int) -> bool:
    last_row, last_column = y == len(rows) - 1, x == len(rows[0]) - 1
    if last_row and last_column:
        return False
    if last_row:
        return rows[y][x] != rows[y][x + 1]
    if last_column:
        return rows[y][x] != rows[y + 1][x]
    return any(rows[y][x] != other for other in (rows[y][x + 1], rows[y + 1][x], rows[y + 1][x + 1]))


def _near(points: Pixels, others: Pixels, tolerance: int) -> Pixels:
    return {(y, x) for y, x in points if any((y - v) ** 2 + (x - u) ** 2 <= tolerance**2 for v, u in others)}


def _pixels(mask: NDArray[np.bool_]) -> Pixels:
    return {(int(y), int(x)) for y, x in np.argwhere(mask)}
