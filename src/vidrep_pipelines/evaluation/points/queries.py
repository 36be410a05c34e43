"""Which points are asked for, in which frame.

Source: Doersch et al., "TAP-Vid: A Benchmark for Tracking Any Point in a Video" (arXiv 2211.03726),
section 3.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.common.arrays import FloatArray, IntArray
from vidrep_pipelines.evaluation.points.config import QueryMode


@dataclass(frozen=True)
class PointQueries:
    """Q questions: where is this point, given where it is in this frame?

    Attributes:
        points: (Q,) number of the point.
        frames: (Q,) number of the frame in which its position is given.
        backward: Whether it is to be followed to the frames before as well.
    """

    points: IntArray
    frames: IntArray
    backward: bool

    def __len__(self) -> int:
        return len(self.points)

    def evaluated(self, length: int) -> NDArray[np.bool_]:
        """(Q, T) the frames that count: all but the query's own, and those before it only where asked for."""
        frames = np.arange(length)[None, :]
        own = self.frames[:, None]
        counted: NDArray[np.bool_] = frames != own if self.backward else frames > own
        return counted

    def positions(self, points: FloatArray) -> FloatArray:
        """(Q, 2) what is given, of points (N, T, 2)."""
        given: FloatArray = points[self.points, self.frames]
        return given


def point_queries(mode: QueryMode, occluded: NDArray[np.bool_], stride: int) -> PointQueries:
    """The queries for the points of a video.

    Args:
        mode: See :class:`PointTrackingConfig`.
        occluded: (N, T).
        stride: Frames between queries, for ``strided``.
    """
    visible = ~occluded
    if mode == "first":
        ever = np.flatnonzero(visible.any(axis=1)).astype(np.int64)
        return PointQueries(ever, visible[ever].argmax(axis=1).astype(np.int64), backward=False)
    places = np.argwhere(visible[:, ::stride].T).astype(np.int64)  # by frame, then by point
    return PointQueries(places[:, 1], places[:, 0] * stride, backward=True)
