"""Order in time, retrieval and alignment of frame embeddings by the published loops."""

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from scipy.stats import kendalltau

from vidrep_pipelines.evaluation.frame_embeddings.embedding_set import EmbeddingSet


def published_tau(videos: EmbeddingSet) -> NDArray[np.float64]:
    """Tau-b (V, V) of every ordered pair of videos, pair after pair."""
    pairs = np.full((len(videos), len(videos)), np.nan)
    for row, query in enumerate(videos.videos):
        for column, key in enumerate(videos.videos):
            if row != column:
                nearest = cdist(query.embeddings, key.embeddings, "sqeuclidean").argmin(axis=1)
                pairs[row, column] = kendalltau(np.arange(len(nearest)), nearest).statistic
    return pairs


def published_precision(videos: EmbeddingSet, neighbors: int) -> float:
    """Mean precision at ``neighbors``, with all distances and a full sort for every query video."""
    precisions = []
    for number, query in enumerate(videos.videos):
        others = [video for other, video in enumerate(videos.videos) if other != number]
        gallery = np.concatenate([video.embeddings for video in others])
        phases = np.concatenate([video.phases for video in others])
        order = np.argsort(cdist(query.embeddings, gallery, "sqeuclidean"), axis=1)[:, :neighbors]
        hits = [phases[row] == own for row, own in zip(order, query.phases, strict=True)]
        precisions.append(np.mean(hits))
    return float(np.mean(precisions))


def published_warping(
    query: NDArray[np.floating], key: NDArray[np.floating]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Accumulated costs (N, M) and path (P, 2) of dynamic time warping, cell after cell."""
    costs = cdist(query, key, "sqeuclidean")
    rows, columns = costs.shape
    total = np.full((rows + 1, columns + 1), np.inf)
    total[0, 0] = 0.0
    for row in range(rows):
        for column in range(columns):
            best = min(total[row, column], total[row, column + 1], total[row + 1, column])
            total[row + 1, column + 1] = costs[row, column] + best
    row, column = rows, columns
    path = [(row - 1, column - 1)]
    while row > 1 or column > 1:
        choice = int(np.argmin([total[row - 1, column - 1], total[row - 1, column], total[row, column - 1]]))
        row, column = [(row - 1, column - 1), (row - 1, column), (row, column - 1)][choice]
        path.append((row - 1, column - 1))
    return total[1:, 1:], np.array(path[::-1])
