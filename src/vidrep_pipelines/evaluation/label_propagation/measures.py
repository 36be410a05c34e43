"""The numbers that are reported for each task, in percent, as functions of how often each sequence counts."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vidrep_pipelines.evaluation.bootstrap import Statistic, mean_over_members
from vidrep_pipelines.evaluation.label_propagation.config import PropagationTask
from vidrep_pipelines.evaluation.label_propagation.davis import GLOBAL_COLUMNS
from vidrep_pipelines.evaluation.label_propagation.frame_statistics import FrameStatistics
from vidrep_pipelines.evaluation.label_propagation.part_segmentation import (
    VIP_CLASSES,
    SegmentationScore,
    segmentation_score,
)
from vidrep_pipelines.evaluation.label_propagation.pck import THRESHOLDS, annotated_joints
from vidrep_pipelines.evaluation.label_propagation.task_scores import Arrays, davis_score

Measures = dict[str, Statistic]

MAIN_MEASURES: Mapping[PropagationTask, tuple[str, ...]] = MappingProxyType(
    {
        "davis": ("J&F-Mean", "J-Mean", "F-Mean"),
        "jhmdb": tuple(f"PCK@{threshold}" for threshold in THRESHOLDS[:2]),
        "vip": ("mIoU", "mIoU without given frame"),
    }
)
"""Those that are drawn; the first one ranks encoders."""


def measures(task: PropagationTask, sequences: Sequence[tuple[str, Arrays]]) -> Measures:
    """The statistics of a task by name, the most important ones first.

    Args:
        task: The task.
        sequences: Name and scores of each sequence, of one encoder.
    """
    match task:
        case "davis":
            return _davis(sequences)
        case "jhmdb":
            return _jhmdb([arrays for _, arrays in sequences])
        case "vip":
            return _vip([arrays for _, arrays in sequences])


def member_table(task: PropagationTask, sequences: Sequence[tuple[str, Arrays]]) -> pd.DataFrame:
    """One row per object (DAVIS), joint (JHMDB) or class (VIP), in percent."""
    match task:
        case "davis":
            scores = [davis_score(name, arrays) for name, arrays in sequences]
            names = [name for score in scores for name in score.object_names()]
            region = [one.mean for score in scores for one in score.region_statistics()]
            contour = [one.mean for score in scores for one in score.contour_statistics()]
            return pd.DataFrame({"name": names, "J-Mean": _percent(region), "F-Mean": _percent(contour)})
        case "jhmdb":
            hits, counted = _hits([arrays for _, arrays in sequences])
            with np.errstate(invalid="ignore"):
                shares = hits.sum(axis=0) / counted.sum(axis=0)[:, None]
            names = [f"joint {number + 1}" for number in range(len(shares))]
            columns = {f"PCK@{limit}": _percent(shares[:, place]) for place, limit in enumerate(THRESHOLDS)}
            return pd.DataFrame({"name": names, **columns})
        case "vip":
            score = _segmentation([arrays for _, arrays in sequences], "with_given")(
                np.ones((1, len(sequences)))
            )
            return pd.DataFrame({"name": list(VIP_CLASSES), "IoU": _percent(score.iou[0])})


def _davis(sequences: Sequence[tuple[str, Arrays]]) -> Measures:
    """The toolkit's: plain means over the objects of all sequences."""
    scores = [davis_score(name, arrays) for name, arrays in sequences]
    region = [score.region_statistics() for score in scores]
    contour = [score.contour_statistics() for score in scores]
    single = [
        [_field(objects, field) for objects in side]
        for side in (region, contour)
        for field in ("mean", "recall", "decay")
    ]
    both = [(one + other) / 2 for one, other in zip(single[0], single[3], strict=True)]
    return {
        name: mean_over_members([100 * members for members in groups])
        for name, groups in zip(GLOBAL_COLUMNS, [both, *single], strict=True)
    }


def _field(objects: list[FrameStatistics], field: str) -> NDArray[np.float64]:
    return np.array([getattr(one, field) for one in objects])


def _jhmdb(videos: list[Arrays]) -> Measures:
    hits, counted = _hits(videos)
    total = np.array([annotated_joints(video["distance"]) for video in videos], dtype=np.float64)

    def at(place: int) -> Statistic:
        def statistic(weights: NDArray[np.float64]) -> NDArray[np.float64]:
            with np.errstate(invalid="ignore"):
                shares = (weights @ hits[:, :, place]) / (weights @ counted)
            result: NDArray[np.float64] = 100 * np.nanmean(shares, axis=1)
            return result

        return statistic

    def excluded(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        result: NDArray[np.float64] = 100 * (1 - (weights @ counted.sum(axis=1)) / (weights @ total))
        return result

    by_threshold = {f"PCK@{threshold}": at(place) for place, threshold in enumerate(THRESHOLDS)}
    return {**by_threshold, "excluded joints": excluded}


def _hits(videos: list[Arrays]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How often each joint was found within each threshold, and counted: (V, K, thresholds) and (V, K)."""
    limits = np.asarray(THRESHOLDS)[:, None, None]
    hits = [((video["distance"] <= limits) & video["counted"]).sum(axis=2).T for video in videos]
    counted = [video["counted"].sum(axis=1) for video in videos]
    return np.array(hits, dtype=np.float64), np.array(counted, dtype=np.float64)


def _vip(videos: list[Arrays]) -> Measures:
    fields: dict[str, tuple[str, Callable[[SegmentationScore], NDArray[np.float64]]]] = {
        "mIoU": ("with_given", lambda score: score.mean_iou),
        "mIoU without given frame": ("without_given", lambda score: score.mean_iou),
        "overall accuracy": ("with_given", lambda score: score.overall_accuracy),
        "mean accuracy": ("with_given", lambda score: score.mean_accuracy),
        "frequency-weighted IoU": ("with_given", lambda score: score.frequency_weighted_iou),
    }

    def statistic_of(frames: str, field: Callable[[SegmentationScore], NDArray[np.float64]]) -> Statistic:
        score = _segmentation(videos, frames)
        return lambda weights: 100 * field(score(weights))

    return {name: statistic_of(frames, field) for name, (frames, field) in fields.items()}


def _segmentation(videos: list[Arrays], frames: str) -> Callable[[NDArray[np.float64]], SegmentationScore]:
    counts = np.array([video[frames] for video in videos], dtype=np.float64)
    flat = counts.reshape(len(videos), -1)
    return lambda weights: segmentation_score((weights @ flat).reshape(-1, *counts.shape[1:]))


def _percent(values: "NDArray[np.float64] | list[float]") -> NDArray[np.float64]:
    result: NDArray[np.float64] = 100 * np.asarray(values, dtype=np.float64)
    return result
