"""Measures of predicted videos put together: means with intervals, and paired differences to the floors."""

import logging
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from vidrep_pipelines.common.arrays import FloatArray
from vidrep_pipelines.evaluation.bootstrap import Statistic, confidence_interval, mean_over_members
from vidrep_pipelines.evaluation.reconstruction.config import ReconstructionEvaluationConfig
from vidrep_pipelines.evaluation.video_prediction.measurement import ALL_DATA, FACTS, VideoMeasures
from vidrep_pipelines.evaluation.video_prediction.system import MODEL, PREDICTORS, WITHOUT_TEXT

_log = logging.getLogger(__name__)

FRAME_METRICS = ("psnr", "ssim", "lpips")
_CELL = ["value", "low", "high"]
Cell = dict[str, float]
"""A value with the ends of its interval: value, low, high."""


def bootstrapped(groups: int, statistic: Statistic, config: ReconstructionEvaluationConfig) -> Cell:
    """A statistic over so many groups with its interval; a single group leaves nothing to estimate."""
    value = float(statistic(np.ones((1, groups)))[0])
    if groups < 2 or not np.isfinite(value):
        return {"value": value, "low": np.nan, "high": np.nan}
    interval = confidence_interval(statistic, groups, config.confidence, config.resamples, config.seed)
    return {"value": value, "low": interval.low, "high": interval.high}


def mean_cell(rows: pd.DataFrame, column: str, config: ReconstructionEvaluationConfig) -> Cell:
    """The mean of a column with its interval; whole trajectories are resampled."""
    groups = [values.to_numpy(np.float64) for _, values in rows.groupby("trajectory", sort=False)[column]]
    return bootstrapped(len(groups), mean_over_members(groups), config)


def ratio_of_sums(above: FloatArray, below: FloatArray) -> Statistic:
    """From sums (G,) of two quantities over each group: the ratio of their sums over all drawn groups."""

    def statistic(weights: FloatArray) -> FloatArray:
        with np.errstate(invalid="ignore", divide="ignore"):
            ratios: FloatArray = (weights @ above) / (weights @ below)
        return ratios

    return statistic


def by_data_set(table: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """All rows, then those of each data set if there are several."""
    robots = sorted(set(table["robot"]))
    yield ALL_DATA, table
    for robot in robots if len(robots) > 1 else ():
        yield robot, table[table["robot"] == robot]


def horizon_table(values: pd.DataFrame, config: ReconstructionEvaluationConfig) -> pd.DataFrame:
    """Every metric at every horizon.

    Returns:
        Columns robot (data set; ``all`` first), predictor, metric, horizon, value, low, high, episodes.
    """
    rows: list[dict[str, Any]] = []
    for robot, own in by_data_set(values):
        for (predictor, horizon), frames in own.groupby(["predictor", "horizon"], sort=False):
            fixed = {"robot": robot, "predictor": predictor, "horizon": horizon}
            fixed["episodes"] = frames["trajectory"].nunique()
            for metric in _metrics(values):
                rows.append({**fixed, "metric": metric, **mean_cell(frames, metric, config)})
    columns = ["robot", "predictor", "metric", "horizon", *_CELL, "episodes"]
    return pd.DataFrame(rows)[columns]


def loss_table(losses: pd.DataFrame, config: ReconstructionEvaluationConfig) -> pd.DataFrame:
    """The training loss at every noise level, with and without text.

    Returns:
        Columns robot, predictor, noise, value, low, high, episodes.
    """
    rows = [
        {"robot": robot, "predictor": predictor, "noise": noise, **mean_cell(cell, "loss", config),
         "episodes": cell["trajectory"].nunique()}
        for robot, own in by_data_set(losses)
        for (predictor, noise), cell in own.groupby(["predictor", "noise"], sort=False)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def summary_table(measures: VideoMeasures, config: ReconstructionEvaluationConfig) -> pd.DataFrame:
    """One number per metric: at the last frame, on the mean over all frames, and of whole videos.

    ``motion_ratio`` is the motion energy of predictions, summed over clips, as a share of the truth's;
    ``loss`` the mean over the noise levels, which is the validation loss; ``fvd`` the Frechet video distance
    without an interval, as resampling repeats clips, which makes every distance larger.

    Returns:
        Columns robot, predictor, metric, value, low, high, episodes.
    """
    rows: list[dict[str, Any]] = []
    for robot, table in by_data_set(clip_measures(measures)):
        for predictor in PREDICTORS:
            own = table[table["predictor"] == predictor]
            fixed = {"robot": robot, "predictor": predictor, "episodes": own["trajectory"].nunique()}
            for metric in _clip_metrics(own):
                rows.append({**fixed, "metric": metric, **mean_cell(own, metric, config)})
            sums = own.groupby("trajectory", sort=False)[["energy", "true_energy"]].sum()
            ratio = ratio_of_sums(sums["energy"].to_numpy(), sums["true_energy"].to_numpy())
            rows.append({**fixed, "metric": "motion_ratio", **bootstrapped(len(sums), ratio, config)})
    rows += [
        {"robot": row.robot, "predictor": row.predictor, "metric": "fvd", "value": row.fvd,
         "low": np.nan, "high": np.nan, "episodes": row.clips}
        for row in measures.distances.itertuples()
    ]  # fmt: skip
    return pd.DataFrame(rows)[["robot", "predictor", "metric", *_CELL, "episodes"]]


def difference_table(measures: VideoMeasures, config: ReconstructionEvaluationConfig) -> pd.DataFrame:
    """The model less each floor and the ceiling, clip by clip.

    Returns:
        Columns robot, metric, against (the predictor that is subtracted), value, low, high, episodes.
    """
    rows: list[dict[str, Any]] = []
    for robot, table in by_data_set(clip_measures(measures)):
        wide = {name: own.set_index(["id", "seed"]) for name, own in table.groupby("predictor", sort=False)}
        model = wide[MODEL]
        for other in PREDICTORS[1:]:
            for metric in _clip_metrics(wide[other]):
                paired = model.assign(difference=model[metric] - wide[other][metric])
                cell = mean_cell(paired, "difference", config)
                fixed = {"robot": robot, "metric": metric, "against": other}
                rows.append({**fixed, **cell, "episodes": paired["trajectory"].nunique()})
    return pd.DataFrame(rows)


def clip_measures(measures: VideoMeasures) -> pd.DataFrame:
    """One row per clip, seed and predictor: ``<metric>_last``, ``<metric>_mean``, energies, loss.

    Only the model with and without text has a loss; others have an empty cell.
    """
    keys = [*FACTS, "seed", "predictor"]
    metrics = _metrics(measures.values)
    last = measures.values[measures.values["horizon"] == measures.values["horizon"].max()]
    table = measures.motion.merge(
        last[[*keys, *metrics]].rename(columns={name: f"{name}_last" for name in metrics}), on=keys
    )
    means = measures.values.groupby(keys, sort=False)[metrics].mean().add_suffix("_mean").reset_index()
    losses = measures.losses.groupby(keys, sort=False)["loss"].mean().reset_index()
    return table.merge(means, on=keys).merge(losses, on=keys, how="left")


def warn_if_static(summary: pd.DataFrame, below: float) -> None:
    """Says so where predictions stand still, which mean errors do not show.

    Args:
        summary: See :func:`summary_table`.
        below: The share of the truth's motion energy from which on predictions move.
    """
    own = summary[(summary["predictor"] == MODEL) & (summary["metric"] == "motion_ratio")]
    for row in own[own["value"] < below].to_dict("records"):
        _log.warning(
            "video prediction: predictions of %s stand still: their motion energy is %.3g of the truth's",
            "all data sets" if row["robot"] == ALL_DATA else row["robot"],
            row["value"],
        )


def tracked_numbers(summary: pd.DataFrame) -> dict[str, Any]:
    """The summary as nested numbers: data set, predictor, metric."""
    numbers: dict[str, Any] = {}
    for row in summary.to_dict("records"):
        own = numbers.setdefault(row["robot"], {}).setdefault(row["predictor"], {})
        own[row["metric"]] = row["value"]
    return numbers


def _metrics(values: pd.DataFrame) -> list[str]:
    return [name for name in FRAME_METRICS if name in values]


def _clip_metrics(own: pd.DataFrame) -> Sequence[str]:
    """Columns of :func:`clip_measures` that have a mean for this predictor."""
    names = [f"{name}_{moment}" for name in FRAME_METRICS for moment in ("last", "mean")]
    present = [name for name in names if name in own]
    return [*present, "loss"] if own["predictor"].iloc[0] in (MODEL, WITHOUT_TEXT) else present
