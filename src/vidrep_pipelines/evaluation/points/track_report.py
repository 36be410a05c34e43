"""Encoders side by side in following points, with intervals over videos."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vidrep_pipelines.common.arrays import FloatArray, IntArray
from vidrep_pipelines.evaluation.bootstrap import Statistic, confidence_interval, mean_over_members
from vidrep_pipelines.evaluation.label_propagation.comparison import SUMMARY_COLUMNS
from vidrep_pipelines.evaluation.label_propagation.errors import ResultMismatchError
from vidrep_pipelines.evaluation.label_propagation.report import numbers_by_encoder
from vidrep_pipelines.evaluation.points.config import PointTrackingConfig, QueryMode
from vidrep_pipelines.evaluation.points.tap_metrics import DISTANCES
from vidrep_pipelines.evaluation.points.track_scoring import (
    STILL,
    ModeScores,
    VideoRows,
    track_scores,
    visibility_levels,
)
from vidrep_pipelines.fanout.parts import Parts

MAIN_MEASURES = ("average Jaccard", "average delta", "occlusion accuracy")
PointReport = tuple[pd.DataFrame, pd.DataFrame, dict[str, Any]]
"""All measures of all encoders with intervals; one row per video; plain numbers."""


@dataclass(frozen=True)
class ChosenScores:
    """Measures of an encoder on V videos, once it is said what counts as visible.

    Attributes:
        measures: (V,) each, by name, in 0..1; not a number where a video has nothing to be measured.
        levels: (V,) the share of a label from which a point of the video counts as visible.
    """

    measures: Mapping[str, FloatArray]
    levels: FloatArray


def measure_name(measure: str, mode: QueryMode) -> str:
    """How a measure is called in tables and pictures."""
    return f"{measure}, {mode} queries"


def levels_by_others(jaccard: FloatArray) -> IntArray:
    """(V,) for each video the level with the highest mean of the other videos; 0 where there is no other.

    Args:
        jaccard: (V, L) average Jaccard of videos at levels.
    """
    known = np.isfinite(jaccard)
    values = np.where(known, jaccard, 0.0)
    sums, counts = values.sum(axis=0) - values, known.sum(axis=0) - known
    means = np.where(counts > 0, sums / np.maximum(counts, 1), 0.0)
    best: IntArray = means.argmax(axis=1).astype(np.int64)
    return best


def chosen_scores(videos: Sequence[ModeScores], levels: tuple[float, ...]) -> ChosenScores:
    """The measures of an encoder on its videos.

    Args:
        videos: What was measured at each level.
        levels: The levels.
    """
    jaccard = np.stack([video.jaccard for video in videos])  # (V, L, 5)
    best = levels_by_others(jaccard.mean(axis=2))
    rows = np.arange(len(videos))
    within = np.stack([video.within for video in videos])
    accuracy = np.stack([video.occlusion_accuracy for video in videos])[rows, best]
    measures = {
        "average Jaccard": jaccard[rows, best].mean(axis=1),
        "average delta": within.mean(axis=1),
        "occlusion accuracy": accuracy,
        **{f"within {pixels}": within[:, place] for place, pixels in enumerate(DISTANCES)},
        **{f"Jaccard {pixels}": jaccard[rows, best, place] for place, pixels in enumerate(DISTANCES)},
    }
    return ChosenScores(measures, np.array(levels)[best])


def compare_tracks(
    encoders: Sequence[str], videos: VideoRows, scores: Parts, config: PointTrackingConfig
) -> PointReport:
    """All encoders on the videos that all of them have results for, and points that stay where they are.

    Args:
        encoders: Names of those that were asked for, in their order.
        videos: The videos that can be evaluated, by id.
        scores: What was measured.
        config: How points were followed.

    Raises:
        InputError: No video was scored for all encoders.
    """
    tables, per_video, levels = [], [], {}
    without: list[str] = []
    for mode in config.queries:
        by_encoder = track_scores(scores, mode)
        without = [name for name in encoders if not by_encoder.get(name)]
        names = [name for name in (*encoders, STILL) if by_encoder.get(name)]
        common = [video for video in videos if all(video in by_encoder[name] for name in names)]
        if not common or names == [STILL]:
            raise ResultMismatchError(
                f"points: no video was scored for all of {', '.join(encoders)}. The manifests of what was "
                "tracked and scored say why."
            )
        chosen = {
            name: chosen_scores([by_encoder[name][video] for video in common], visibility_levels(config))
            for name in names
        }
        tables.append(_summary(chosen, mode, len(common)))
        per_video.append(_per_video(chosen, mode, common))
        levels[mode] = {name: float(np.median(one.levels)) for name, one in chosen.items()}
    summary = pd.concat(tables, ignore_index=True)
    metrics = {
        "sequences": int(summary["sequences"].iloc[0]),
        "videos_left_out": [name for name in videos if name not in set(per_video[0]["video"])],
        "encoders_without_result": without,
        "visible_above": levels,
        "settings": config.model_dump(mode="json", exclude={"device", "frames_per_batch", "workers_per_gpu"}),
        "encoders": numbers_by_encoder(summary),
    }
    return summary, pd.concat(per_video, ignore_index=True), metrics


def _summary(chosen: Mapping[str, ChosenScores], mode: QueryMode, videos: int) -> pd.DataFrame:
    first = next(iter(chosen.values())).measures
    rows = [
        (measure_name(measure, mode), name, *_numbers(one.measures[measure], first[measure]), videos)
        for measure in first
        for name, one in chosen.items()
    ]
    return pd.DataFrame(rows, columns=list(SUMMARY_COLUMNS))


def _numbers(values: FloatArray, first: FloatArray) -> tuple[float, ...]:
    """The mean over videos with its interval, and the lead of the first encoder with its own, in percent."""
    own = confidence_interval(_mean(values), len(values))
    lead = confidence_interval(_mean(first - values), len(values))
    return (own.value, own.low, own.high, lead.value, lead.low, lead.high)


def _mean(values: FloatArray) -> Statistic:
    """As published: the mean of the videos' own measures."""
    groups: list[NDArray[np.float64]] = [100 * one[np.isfinite(one)] for one in values[:, None]]
    return mean_over_members(groups)


def _per_video(chosen: Mapping[str, ChosenScores], mode: QueryMode, videos: Sequence[str]) -> pd.DataFrame:
    """One row per video and encoder: the main measures in percent, and what counted as visible."""
    tables = [
        pd.DataFrame(
            {
                "queries": mode,
                "video": list(videos),
                "encoder": name,
                **{measure: 100 * one.measures[measure] for measure in MAIN_MEASURES},
                "visible_above": one.levels,
            }
        )
        for name, one in chosen.items()
    ]
    return pd.concat(tables, ignore_index=True)
