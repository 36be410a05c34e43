"""TAP-Vid's measures: position, occlusion, and both at once.

Source: Doersch et al., "TAP-Vid: A Benchmark for Tracking Any Point in a Video" (arXiv 2211.03726),
section 3.2. All distances are pixels of a picture that is resized to 256x256. A video is measured by itself;
a benchmark's number is the mean over its videos.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.common.arrays import FloatArray

PICTURE_SIDE = 256
DISTANCES = (1, 2, 4, 8, 16)
"""Pixels within which a position is right."""


@dataclass(frozen=True)
class TapScores:
    """Measures of one video, in 0..1; not a number where nothing is there to be measured.

    Attributes:
        within: (5,) share of the visible points whose position is right within each of ``DISTANCES``,
            whatever was said of their visibility.
        occlusion_accuracy: Share of right statements about visibility.
        jaccard: (5,) for each distance: points that are visible, found visible and at the right place, among
            those that are visible, or found visible at a place where they are not.
    """

    within: FloatArray
    occlusion_accuracy: float
    jaccard: FloatArray

    @property
    def average_delta(self) -> float:
        """Mean of ``within``: the published ``< delta_avg``."""
        return float(self.within.mean())

    @property
    def average_jaccard(self) -> float:
        """Mean of ``jaccard``: the published AJ."""
        return float(self.jaccard.mean())


@dataclass(frozen=True)
class TapTruth:
    """What is true of the queried points of a video.

    Attributes:
        positions: (Q, T, 2) as shares of width and height.
        visible: (Q, T).
        evaluated: (Q, T) the frames that count for each query.
    """

    positions: FloatArray
    visible: NDArray[np.bool_]
    evaluated: NDArray[np.bool_]


def tap_scores(truth: TapTruth, positions: FloatArray, visible: NDArray[np.bool_]) -> TapScores:
    """Measures what was found in one video.

    Args:
        truth: What is true.
        positions: (Q, T, 2) found, as shares of width and height.
        visible: (Q, T) found.
    """
    near = right_positions(truth, positions)
    seen = truth.visible & truth.evaluated
    claimed = visible & truth.evaluated
    hits = (near & seen).sum(axis=(1, 2))
    both = (near & seen & claimed).sum(axis=(1, 2))
    wrong = (claimed & ~(truth.visible & near)).sum(axis=(1, 2))
    agreed = ((visible == truth.visible) & truth.evaluated).sum()
    count, total = seen.sum(), truth.evaluated.sum()
    with np.errstate(invalid="ignore", divide="ignore"):
        return TapScores(hits / count, float(np.float64(agreed) / total), both / (count + wrong))


def right_positions(truth: TapTruth, positions: FloatArray) -> NDArray[np.bool_]:
    """(5, Q, T) whether positions are nearer to the truth than each of ``DISTANCES``."""
    squares = (((positions - truth.positions) * PICTURE_SIDE) ** 2).sum(axis=-1)
    limits = np.square(DISTANCES)[:, None, None]
    near: NDArray[np.bool_] = squares < limits
    return near
