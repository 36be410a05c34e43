"""Retrieval: do the nearest frames of other videos show the same phase?"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.evaluation.frame_embeddings.distances import squared_distances
from vidrep_pipelines.evaluation.frame_embeddings.embedding_set import EmbeddingSet


@dataclass(frozen=True)
class Retrieval:
    """Precision among the nearest frames.

    The literature calls it AP@K; it is the plain precision at K.

    Attributes:
        neighbors: K.
        precision: Mean over the videos, in [0, 1].
        per_video: (V,) mean over the frames of each query video.
    """

    neighbors: int
    precision: float
    per_video: NDArray[np.float64]


def retrieve_frames(
    videos: EmbeddingSet, neighbors: Sequence[int] = (5, 10, 15), stride: int = 1
) -> list[Retrieval]:
    """Precision at each K, every video asking all other videos.

    Args:
        videos: Labelled frames.
        neighbors: The values of K.
        stride: Every how many frames are used, of queries and gallery alike.

    Raises:
        InputError: A video has fewer frames to be compared with than the largest K.
    """
    thinned = videos.strided(stride)
    frames, phases = thinned.stacked()
    ends = np.cumsum(thinned.lengths)
    precisions = np.empty((len(neighbors), len(videos)))
    for query, (start, end) in enumerate(zip(ends - thinned.lengths, ends, strict=True)):
        _check_gallery(len(frames) - (end - start), max(neighbors), thinned.videos[query].id)
        distances = squared_distances(frames[start:end], frames)
        distances[:, start:end] = np.inf
        hits = phases[nearest_columns(distances, max(neighbors))] == phases[start:end, None]
        precisions[:, query] = [hits[:, :count].mean() for count in neighbors]
    return [
        Retrieval(count, float(row.mean()), row) for count, row in zip(neighbors, precisions, strict=True)
    ]


def nearest_columns(distances: NDArray[np.float64], count: int) -> NDArray[np.intp]:
    """The ``count`` nearest columns (N, count) of each row of (N, M), nearest first; M >= count."""
    candidates = np.argpartition(distances, count - 1, axis=1)[:, :count]
    order = np.argsort(np.take_along_axis(distances, candidates, axis=1), axis=1, kind="stable")
    return np.take_along_axis(candidates, order, axis=1)


def _check_gallery(frames: int, neighbors: int, video: str) -> None:
    if frames < neighbors:
        raise InputError(
            f"Retrieval: {video} can be compared with {frames} frames of other videos, fewer than the "
            f"{neighbors} neighbors asked for. Remedy: more videos, a smaller stride or fewer neighbors."
        )
