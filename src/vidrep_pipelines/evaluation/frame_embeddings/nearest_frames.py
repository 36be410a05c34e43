"""The nearest frames of other videos, found once for all tasks that ask for them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.common.arrays import Ranks
from vidrep_pipelines.evaluation.frame_embeddings.embedding_set import EmbeddingSet


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


@dataclass(frozen=True)
class NearestFrames:
    """What every frame is near to.

    Attributes:
        videos: The V videos with the frames that were compared.
        per_video: For every query video of T frames, (V, T) nearest frame in each video, the first of equal
            ones. Empty if not asked for.
        closest: For every query video, (T, K) nearest frames among those of all other videos, nearest first,
            as rows of ``videos.stacked()``. K is smaller than asked for where there are no more frames.
    """

    videos: EmbeddingSet
    per_video: tuple[Ranks, ...]
    closest: tuple[Ranks, ...]


def find_nearest(
    videos: EmbeddingSet, stride: int = 1, neighbors: int = 0, per_video: bool = True
) -> NearestFrames:
    """Compares every video with all others; one matrix of distances at a time is in memory.

    Args:
        videos: At least one video.
        stride: Every how many frames are compared, of queries and others alike.
        neighbors: K.
        per_video: Whether the nearest frame in each video is wanted.
    """
    thinned = videos.strided(stride)
    frames, _ = thinned.stacked()
    ends = np.cumsum(thinned.lengths)
    nearest, closest = [], []
    for start, end in zip(ends - thinned.lengths, ends, strict=True):
        distances = squared_distances(frames[start:end], frames)
        if per_video:
            nearest.append(np.stack([part.argmin(axis=1) for part in np.split(distances, ends[:-1], axis=1)]))
        others = len(frames) - (end - start)
        distances[:, start:end] = np.inf
        closest.append(nearest_columns(distances, min(neighbors, others)))
    return NearestFrames(thinned, tuple(nearest), tuple(closest))


def nearest_columns(distances: NDArray[np.float64], count: int) -> Ranks:
    """The ``count`` nearest columns (N, count) of each row of (N, M), nearest first; M >= count."""
    if not count:
        return np.zeros((len(distances), 0), np.int64)
    candidates = np.argpartition(distances, count - 1, axis=1)[:, :count]
    order = np.argsort(np.take_along_axis(distances, candidates, axis=1), axis=1, kind="stable")
    return np.take_along_axis(candidates, order, axis=1)
