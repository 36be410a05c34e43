"""Squared Euclidean distances between frames."""

import numpy as np
from numpy.typing import NDArray


def squared_distances(rows: NDArray[np.floating], columns: NDArray[np.floating]) -> NDArray[np.float64]:
    """Distances (N, M) between (N, D) and (M, D), in float64.

    One matrix product instead of N x M differences. In float64 the cancellation in ``|x|^2 + |y|^2 - 2 x.y``
    stays far below the differences between embeddings that were stored as float32.
    """
    rows, columns = rows.astype(np.float64), columns.astype(np.float64)
    distances: NDArray[np.float64] = rows @ columns.T
    distances *= -2.0
    distances += np.einsum("nd,nd->n", rows, rows)[:, None]
    distances += np.einsum("md,md->m", columns, columns)[None]
    return np.maximum(distances, 0.0, out=distances)
