"""Alignment of two videos in time by their frame embeddings."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.evaluation.frame_embeddings.nearest_frames import squared_distances

Path = NDArray[np.int64]


@dataclass(frozen=True)
class Warping:
    """The cheapest monotonous assignment of two sequences.

    Attributes:
        distance: Summed cost along the path.
        accumulated: (N, M) cost of the cheapest path to each pair of frames.
        query: (P,) frame of the query at each step of the path.
        key: (P,) frame of the key at each step of the path.
    """

    distance: float
    accumulated: NDArray[np.float64]
    query: Path
    key: Path

    def first_match(self) -> Path:
        """(N,) for every query frame the first key frame that the path assigns to it."""
        return self.key[np.searchsorted(self.query, np.arange(len(self.accumulated)))]


def dynamic_time_warping(query: NDArray[np.floating], key: NDArray[np.floating]) -> Warping:
    """Dynamic time warping (Sakoe & Chiba 1978) with squared Euclidean costs and symmetric unit steps.

    Cells of an anti-diagonal do not depend on one another, so that each is computed as one vector.

    Args:
        query: (N, D) embeddings.
        key: (M, D) embeddings.
    """
    accumulated = _accumulate(squared_distances(query, key))
    steps = _backtrack(accumulated)
    return Warping(float(accumulated[-1, -1]), accumulated, steps[:, 0], steps[:, 1])


def nearest_frames(query: NDArray[np.floating], key: NDArray[np.floating]) -> Path:
    """(N,) nearest key frame of every query frame, the first of equal ones; not monotonous in general."""
    nearest: Path = squared_distances(query, key).argmin(axis=1)
    return nearest


def _accumulate(costs: NDArray[np.float64]) -> NDArray[np.float64]:
    rows, columns = costs.shape
    diagonals = np.full((rows + columns - 1, rows), np.inf)
    _rows_of_diagonals(diagonals, columns)[:] = costs
    # Row d + 2 of the totals is diagonal d, column r + 1 is row r of the costs; borders are infinite.
    totals = np.full((rows + columns + 1, rows + 1), np.inf)
    totals[0, 0] = 0.0
    for number, diagonal in enumerate(diagonals):
        before = np.minimum(totals[number + 1, :-1], totals[number + 1, 1:])
        np.minimum(before, totals[number, :-1], out=before)
        np.add(diagonal, before, out=totals[number + 2, 1:])
    return _rows_of_diagonals(totals[2:, 1:], columns).copy()


def _rows_of_diagonals(diagonals: NDArray[np.float64], columns: int) -> NDArray[np.float64]:
    """The (N, M) matrix whose anti-diagonal d is row d of (N + M - 1, N), as a view."""
    down, right = diagonals.strides
    shape = (diagonals.shape[1], columns)
    return np.lib.stride_tricks.as_strided(diagonals, shape, (down + right, down))


def _backtrack(accumulated: NDArray[np.float64]) -> Path:
    """Steps (P, 2) from the first pair to the last; ties prefer the diagonal, then the query's past."""
    row, column = (size - 1 for size in accumulated.shape)
    steps = [(row, column)]
    totals = accumulated.tolist()  # a list of lists is read faster than an array, one cell at a time
    while row and column:
        diagonal, above, left = totals[row - 1][column - 1], totals[row - 1][column], totals[row][column - 1]
        row -= min(diagonal, above) <= left
        column -= diagonal <= above or left < above
        steps.append((row, column))
    steps += [(rest, 0) for rest in range(row - 1, -1, -1)] + [
        (0, rest) for rest in range(column - 1, -1, -1)
    ]
    return np.array(steps[::-1], dtype=np.int64)
