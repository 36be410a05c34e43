"""Kendall's tau: do nearest neighbors in another video come in the same order in time?"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.evaluation.frame_embeddings.embedding_set import EmbeddingSet
from vidrep_pipelines.evaluation.frame_embeddings.nearest_frames import NearestFrames, find_nearest

_PAIRS_AT_ONCE = 16_000_000
_ALL_PAIRS_UP_TO = 256  # frames; beyond, sorting row by row is faster than comparing all pairs of a row


@dataclass(frozen=True)
class KendallTau:
    """Order in time across videos.

    Attributes:
        tau: Mean over the ordered pairs of different videos, in [-1, 1]; NaN if every pair was dropped.
        pairs: (V, V) tau-b of query video (row) in key video (column); NaN on the diagonal and where all
            frames of the query have the same neighbor.
        dropped: Pairs of the latter kind. They are left out of the mean, which flatters collapsed
            embeddings: report their number.
    """

    tau: float
    pairs: NDArray[np.float64]
    dropped: int


def kendall_tau(videos: EmbeddingSet, stride: int = 1) -> KendallTau:
    """Kendall's tau-b (Kendall 1945) between a video's time and that of its nearest neighbors.

    Args:
        videos: The videos; phases are not used.
        stride: Every how many frames are compared: published 5 (Pouring, FineGym) and 2 (PennAction).

    Raises:
        InputError: Fewer than two videos.
    """
    _check_count(len(videos))
    return tau_of(find_nearest(videos, stride))


def tau_of(nearest: NearestFrames) -> KendallTau:
    """Kendall's tau of neighbors that were found per video.

    Raises:
        InputError: Fewer than two videos.
    """
    count = len(nearest.videos)
    _check_count(count)
    pairs = np.stack([tau_against_time(sequences) for sequences in nearest.per_video])
    np.fill_diagonal(pairs, np.nan)
    valid = ~np.isnan(pairs)
    dropped = count * (count - 1) - int(valid.sum())
    return KendallTau(float(pairs[valid].mean()) if valid.any() else float("nan"), pairs, dropped)


def tau_against_time(sequences: NDArray[np.integer]) -> NDArray[np.float64]:
    """Tau-b (S,) between (0, 1, ..., T - 1) and each row of (S, T); NaN for constant rows.

    Time has no ties, so only those of the row correct the denominator. Of short rows all pairs of frames are
    compared at once, in portions that bound the memory; long ones are SciPy's, which sorts them.
    """
    count, length = sequences.shape
    if length > _ALL_PAIRS_UP_TO:
        return _sorted_taus(sequences)
    taus = np.empty(count)
    portion = max(1, _PAIRS_AT_ONCE // max(length * length, 1))
    later = np.triu(np.ones((length, length), dtype=bool), 1)
    total = length * (length - 1) / 2
    for start in range(0, count, portion):
        rows = sequences[start : start + portion]
        signs = np.sign(rows[:, None, :] - rows[:, :, None])[:, later]
        untied = np.count_nonzero(signs, axis=1)
        with np.errstate(invalid="ignore"):
            taus[start : start + portion] = signs.sum(axis=1) / np.sqrt(total * untied)
    return taus


def _sorted_taus(sequences: NDArray[np.integer]) -> NDArray[np.float64]:
    from scipy.stats import kendalltau  # noqa: PLC0415 (slow to import)

    time = np.arange(sequences.shape[1])
    return np.array([kendalltau(time, row, method="asymptotic").statistic for row in sequences], np.float64)


def _check_count(videos: int) -> None:
    if videos < 2:
        raise InputError(f"Kendall's tau compares videos with one another; there are {videos}.")
