"""Retrieval: do the nearest frames of other videos show the same phase?"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.evaluation.frame_embeddings.embedding_set import EmbeddingSet
from vidrep_pipelines.evaluation.frame_embeddings.nearest_frames import NearestFrames, find_nearest


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
    return retrieval_of(find_nearest(videos, stride, max(neighbors), per_video=False), neighbors)


def retrieval_of(nearest: NearestFrames, neighbors: Sequence[int]) -> list[Retrieval]:
    """Precision at each K of neighbors that were found among all other videos.

    Raises:
        InputError: A video has fewer of them than the largest K.
    """
    _, phases = nearest.videos.stacked()
    precisions = np.empty((len(neighbors), len(nearest.videos)))
    for query, (video, closest) in enumerate(zip(nearest.videos.videos, nearest.closest, strict=True)):
        _check_gallery(closest.shape[1], max(neighbors), video.id)
        hits = phases[closest] == video.phases[:, None]
        precisions[:, query] = [hits[:, :count].mean() for count in neighbors]
    return [
        Retrieval(count, float(row.mean()), row) for count, row in zip(neighbors, precisions, strict=True)
    ]


def _check_gallery(frames: int, neighbors: int, video: str) -> None:
    if frames < neighbors:
        raise InputError(
            f"Retrieval: {video} can be compared with {frames} frames of other videos, fewer than the "
            f"{neighbors} neighbors asked for. Remedy: more videos, a smaller stride or fewer neighbors."
        )
