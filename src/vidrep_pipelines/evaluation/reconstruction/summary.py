"""Tables of results: overall and per robot, with intervals."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vidrep_pipelines.evaluation.bootstrap import confidence_interval, mean_over_members
from vidrep_pipelines.evaluation.reconstruction.config import ReconstructionEvaluationConfig
from vidrep_pipelines.evaluation.reconstruction.feature_pair import FeaturePair

OVERALL = "all"
_NO_METRICS = ("id", "trajectory", "robot", "frames")


def summarize(
    videos: pd.DataFrame,
    pairs: Mapping[str, tuple[FeaturePair, NDArray[np.integer[Any]]]],
    config: ReconstructionEvaluationConfig,
) -> pd.DataFrame:
    """Means over clips, every clip counting once, and Frechet distances.

    Args:
        videos: One row per clip: id, trajectory, robot, frames, and one column per metric.
        pairs: Features, and how many samples each clip has among them, by name of the distance.
        config: Confidence, resamples and seed of the intervals.

    Returns:
        Columns robot (``all`` first), metric, value, low, high, videos. Frechet distances have no interval:
        resampling repeats clips, which makes every distance larger.
    """
    rows: list[dict[str, Any]] = []
    for robot, chosen in _groups(videos):
        counted = {"robot": robot, "videos": int(chosen.sum())}
        for name in videos.columns.drop(list(_NO_METRICS)):
            value, low, high = _mean(videos[chosen], name, config)
            rows.append({**counted, "metric": name, "value": value, "low": low, "high": high})
        for name, (pair, samples) in pairs.items():
            value = pair.distance(np.repeat(chosen, samples))
            rows.append({**counted, "metric": name, "value": value, "low": np.nan, "high": np.nan})
    return pd.DataFrame(rows, columns=["robot", "metric", "value", "low", "high", "videos"])


def _groups(videos: pd.DataFrame) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    yield OVERALL, np.ones(len(videos), bool)
    for robot in sorted(set(videos["robot"]) - {""}):
        yield robot, (videos["robot"] == robot).to_numpy()


def _mean(
    videos: pd.DataFrame, metric: str, config: ReconstructionEvaluationConfig
) -> tuple[float, float, float]:
    """Mean, low and high; whole trajectories are resampled.

    There is no interval where a single trajectory, or the infinite value of identical frames, leaves nothing
    to estimate.
    """
    groups = [values.to_numpy(np.float64) for _, values in videos.groupby("trajectory")[metric]]
    mean = float(videos[metric].mean())
    if len(groups) < 2 or not np.isfinite(mean):
        return mean, float("nan"), float("nan")
    interval = confidence_interval(
        mean_over_members(groups), len(groups), config.confidence, config.resamples, config.seed
    )
    return mean, interval.low, interval.high
