"""PCK of JHMDB: the share of joints found within a fraction of the body's size."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.evaluation.label_propagation.errors import ResultMismatchError
from vidrep_pipelines.evaluation.label_propagation.keypoints import cells_to_pixels

THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5)
BOX_SHARE = 0.6


@dataclass(frozen=True)
class JointDistances:
    """One video's errors."""

    distance: NDArray[np.float64]
    """(K, T - 1) error relative to the size of the body; infinite where the joints have no extent, NaN where
    the joint has no annotation."""
    counted: NDArray[np.bool_]
    """(K, T - 1): the joint is annotated, and the tracker has not lost it."""


def joint_distances(
    truth: NDArray[np.float64],
    predicted: NDArray[np.floating],
    image: tuple[int, int],
    grid: tuple[int, int],
    name: str = "The video",
) -> JointDistances:
    """Errors in all frames but the first, which is given.

    Args:
        truth: (2, K, T) as (x, y) in 1-based pixels, as in JHMDB's files; NaN: not annotated.
        predicted: (2, K, T) in cells of the grid; negative x: lost.
        image: Height and width in pixels.
        grid: Rows and columns of the feature grid.
        name: Names the video in errors.

    Raises:
        ResultMismatchError: There are not as many joints and frames on both sides.
    """
    if truth.shape != predicted.shape:
        raise ResultMismatchError(
            f"{name}: positions (2, joints, frames) of shape {predicted.shape} were predicted, the "
            f"annotation has {truth.shape}; evaluate all of its frames and joints."
        )
    actual, tracked = truth - 1, cells_to_pixels(predicted, image, grid)
    annotated = np.isfinite(actual).all(axis=0)
    counted = (predicted[0] >= 0) & annotated
    boxes = _box_sizes(actual, counted)
    error = np.linalg.norm(actual - tracked, axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        distance = error / boxes
    distance[error == 0] = 0
    distance[~annotated] = np.nan
    return JointDistances(distance[:, 1:], counted[:, 1:])


def annotated_joints(distance: NDArray[np.float64]) -> int:
    """How many of the joints (K, T - 1) have an annotation."""
    return int(np.count_nonzero(~np.isnan(distance)))


def _box_sizes(actual: NDArray[np.float64], visible: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(T,): 0.6 times the diagonal of the tight box around the visible joints of each frame."""
    low = np.where(visible, actual, np.inf).min(axis=1)
    high = np.where(visible, actual, -np.inf).max(axis=1)
    extent = np.where(visible.any(axis=0), high - low, 0)
    sizes: NDArray[np.float64] = BOX_SHARE * np.linalg.norm(extent, axis=0)
    return sizes


@dataclass(frozen=True)
class PckScore:
    """PCK of a data set."""

    per_joint: NDArray[np.float64]
    """(thresholds, K) percent; NaN for a joint that was lost in every frame."""
    excluded_share: float
    """Share of annotated joints that do not count because the tracker had lost them: losing a joint costs
    nothing."""

    @property
    def mean(self) -> NDArray[np.float64]:
        """(thresholds,) percent: the plain mean over joints."""
        means: NDArray[np.float64] = np.nanmean(self.per_joint, axis=1)
        return means


def pck(videos: Sequence[JointDistances], thresholds: Sequence[float] = THRESHOLDS) -> PckScore:
    """PCK over all videos together: a joint that is seen longer counts more.

    Raises:
        ResultMismatchError: No joint is left to be counted.
    """
    counted = sum(video.counted.sum(axis=1) for video in videos)
    total = sum(annotated_joints(video.distance) for video in videos)
    if not np.any(counted):
        raise ResultMismatchError(
            "PCK: no joint was tracked in any frame after the first; there is nothing to score."
        )
    limits = np.asarray(thresholds)[:, None, None]
    correct = sum(((video.distance <= limits) & video.counted).sum(axis=2) for video in videos)
    with np.errstate(invalid="ignore"):
        shares = 100 * np.asarray(correct) / np.asarray(counted)
    return PckScore(shares, 1 - float(np.sum(counted)) / total)
