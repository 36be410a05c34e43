"""Region similarity J and contour accuracy F of masks (Perazzi et al. 2016), exact and vectorized."""

import math

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]

BOUNDARY_TOLERANCE = 0.008
"""Share of the image's diagonal by which contours may be apart."""


def boundary_tolerance(height: int, width: int, share: float = BOUNDARY_TOLERANCE) -> int:
    """Tolerance in pixels: 8 for 854x480, 9 for 880x480."""
    return math.ceil(share * math.hypot(height, width))


def agreement(truth: Mask, predicted: Mask, tolerance: int) -> tuple[float, float]:
    """(J, F) of one object in one frame.

    Args:
        truth: (H, W).
        predicted: (H, W).
        tolerance: How many pixels contours may be apart.
    """
    box = _common_box(truth, predicted)
    if box is None:
        return 1.0, 1.0
    truth, predicted = truth[box], predicted[box]
    overlap, union = np.count_nonzero(truth & predicted), np.count_nonzero(truth | predicted)
    return overlap / union, _contour_accuracy(boundary(truth), boundary(predicted), tolerance)


def boundary(mask: Mask) -> Mask:
    """(H, W): pixels that differ from their right, lower or lower right neighbor, where they have one."""
    edge = np.zeros_like(mask)
    edge[:, :-1] = mask[:, :-1] ^ mask[:, 1:]
    edge[:-1] |= mask[:-1] ^ mask[1:]
    edge[:-1, :-1] |= mask[:-1, :-1] ^ mask[1:, 1:]
    return edge


def _common_box(truth: Mask, predicted: Mask) -> tuple[slice, slice] | None:
    """The box around both masks and one more pixel, in which boundaries are what they are in the image."""
    either = truth | predicted
    rows = np.flatnonzero(either.any(axis=1))
    if not len(rows):
        return None
    columns = np.flatnonzero(either[rows[0] : rows[-1] + 1].any(axis=0))
    return (
        slice(max(0, int(rows[0]) - 1), int(rows[-1]) + 2),
        slice(max(0, int(columns[0]) - 1), int(columns[-1]) + 2),
    )


def _contour_accuracy(truth: Mask, predicted: Mask, tolerance: int) -> float:
    true_points, predicted_points = np.flatnonzero(truth), np.flatnonzero(predicted)
    if not len(true_points) or not len(predicted_points):
        return float(len(true_points) == len(predicted_points))
    precision = _count_near(predicted_points, truth, tolerance) / len(predicted_points)
    recall = _count_near(true_points, predicted, tolerance) / len(true_points)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _count_near(points: NDArray[np.intp], contour: Mask, tolerance: int) -> int:
    """How many points (flat indices into the image) have contour within the disc of radius ``tolerance``.

    The disc is a stack of horizontal strokes, and how much contour lies under a stroke is the difference of
    two running sums. Only contour points ask, so the work is their number times the strokes, not the area.
    """
    height, width = contour.shape
    padded = width + 2 * tolerance + 1
    sums = np.zeros((height + 2 * tolerance, padded), dtype=np.int32)
    inner = sums[tolerance : tolerance + height]
    np.cumsum(contour, axis=1, out=inner[:, tolerance + 1 : tolerance + 1 + width])
    inner[:, tolerance + 1 + width :] = inner[:, [tolerance + width]]
    strokes = np.arange(-tolerance, tolerance + 1)
    halves = np.sqrt(tolerance**2 - strokes**2).astype(np.intp)
    middle = points + points // width * (padded - width) + tolerance * (padded + 1)
    starts = (strokes * padded - halves)[:, None] + middle
    ends = (strokes * padded + halves + 1)[:, None] + middle
    flat = sums.ravel()
    return int(np.count_nonzero((flat[ends] > flat[starts]).any(axis=0)))
