"""Scores of an occupancy model, with intervals over episodes."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vidrep_pipelines.common.arrays import FloatArray
from vidrep_pipelines.evaluation.bootstrap import Statistic, confidence_interval
from vidrep_pipelines.evaluation.occupancy.config import OccupancyEvaluationConfig
from vidrep_pipelines.evaluation.occupancy.published_metrics import published_horizon, share_within
from vidrep_pipelines.reporting.occupancy import score_text


def root_mean_square_error(predicted: FloatArray, actual: FloatArray) -> float:
    """The root mean square error of predictions (n,) of what happened (n,)."""
    return float(np.sqrt(np.mean((predicted - actual) ** 2)))


def slope(predicted: FloatArray, actual: FloatArray) -> float:
    """The slope of what happened (n,) over the predictions (n,), 0 if these are constant.

    1 if differences are neither exaggerated (less) nor understated (more).
    """
    centered = predicted - predicted.mean()
    spread = float(np.mean(centered**2))
    return float(np.mean(centered * (actual - actual.mean()))) / spread if spread > 0 else 0.0


def rank_correlation(one: FloatArray, other: FloatArray) -> float:
    """Spearman's rho in [-1, 1], ties sharing their mean rank; 0 if either side is constant."""
    first, second = (_ranks(values) for values in (one, other))
    scale = float(np.std(first) * np.std(second))
    if scale == 0:
        return 0.0
    return float(np.mean((first - first.mean()) * (second - second.mean())) / scale)


def _ranks(values: FloatArray) -> FloatArray:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks: FloatArray = (last - (counts - 1) / 2)[inverse]
    return ranks


def probability_integral_transform(samples: FloatArray, actual: FloatArray) -> FloatArray:
    """Where what happened lies among the samples.

    Args:
        samples: (n, S) drawn from the predictions.
        actual: (n,).

    Returns:
        (n,) shares of the samples below, ties counted half; uniform over [0, 1] for a perfect model.
    """
    below = (samples < actual[:, None]).mean(axis=1)
    equal = (samples == actual[:, None]).mean(axis=1)
    shares: FloatArray = below + equal / 2
    return shares


def calibration_error(shares: FloatArray) -> float:
    """Mean distance of sorted shares (n,) from even ones: 0 is perfect, 0.5 the worst."""
    even = (np.arange(len(shares)) + 0.5) / len(shares)
    return float(np.abs(np.sort(shares) - even).mean())


ValueColumns = Mapping[str, FloatArray]
"""Columns of :func:`~vidrep_pipelines.evaluation.occupancy.measurement.measure_contexts`, (n,) each."""


@dataclass(frozen=True)
class Metric:
    """A number that sums up states.

    Attributes:
        name: The metric's name in tables.
        score: A function from the columns to the score.
        best: Which values are good.
    """

    name: str
    score: Callable[[ValueColumns], float]
    best: Literal["low", "high", "one"]


def _error(prediction: str) -> Callable[[ValueColumns], float]:
    return lambda columns: root_mean_square_error(columns[prediction], columns["returned"])


def _less_than(baseline: str) -> Callable[[ValueColumns], float]:
    return lambda columns: _error(baseline)(columns) - _error("predicted")(columns)


def _mean(name: str) -> Callable[[ValueColumns], float]:
    return lambda columns: float(np.mean(columns[name]))


def _mean_square(predicted: str, actual: str) -> Callable[[ValueColumns], float]:
    return lambda columns: float(np.mean((columns[predicted] - columns[actual]) ** 2))


METRICS = (
    Metric("value_error", _error("predicted"), "low"),
    Metric("value_error_with_true_future", _error("predicted_with_true_future"), "low"),
    Metric("value_error_constant", _error("constant"), "low"),
    Metric("value_error_regression", _error("regression"), "low"),
    Metric("value_error_place_regression", _error("place_regression"), "low"),
    Metric("value_error_less_than_constant", _less_than("constant"), "high"),
    Metric("value_error_less_than_regression", _less_than("regression"), "high"),
    Metric("value_error_less_than_place_regression", _less_than("place_regression"), "high"),
    Metric(
        "value_rank_correlation",
        lambda columns: rank_correlation(columns["predicted"], columns["returned"]),
        "high",
    ),
    Metric(
        "value_rank_correlation_regression",
        lambda columns: rank_correlation(columns["regression"], columns["returned"]),
        "high",
    ),
    Metric(
        "value_rank_correlation_place_regression",
        lambda columns: rank_correlation(columns["place_regression"], columns["returned"]),
        "high",
    ),
    Metric("value_slope", lambda columns: slope(columns["predicted"], columns["returned"]), "one"),
    Metric("log_likelihood", _mean("log_likelihood"), "high"),
    Metric("log_likelihood_frequencies", _mean("log_likelihood_frequencies"), "high"),
    Metric(
        "log_likelihood_more_than_frequencies",
        lambda columns: float(np.mean(columns["log_likelihood"] - columns["log_likelihood_frequencies"])),
        "high",
    ),
    Metric("perplexity", lambda columns: float(np.exp(-np.mean(columns["log_likelihood"]))), "low"),
    Metric("calibration_error", lambda columns: calibration_error(columns["calibration_share"]), "low"),
    Metric("published_value_error", _mean_square("predicted", "published_returned"), "low"),
    Metric(
        "published_density_value_error",
        _mean_square("published_density_predicted", "published_density_returned"),
        "low",
    ),
)
"""In the order of tables. Those with ``less_than`` or ``more_than`` say by how much the model beats a
baseline on the same states: beyond doubt, if the whole interval is above zero. ``published`` ones are biased,
see :mod:`~vidrep_pipelines.evaluation.occupancy.published_metrics`."""


def score_table(values: pd.DataFrame, config: OccupancyEvaluationConfig) -> pd.DataFrame:
    """Scores with percentile intervals of the bootstrap; whole episodes are drawn.

    Args:
        values: One row per state, see
            :func:`~vidrep_pipelines.evaluation.occupancy.measurement.measure_contexts`.
        config: The settings of the bootstrap.

    Returns:
        Columns metric, value, low, high, best (``low``, ``high`` or ``one``: which values are good), states,
        episodes.
    """
    numbers = values.select_dtypes("number")
    columns = {str(name): numbers[name].to_numpy(np.float64) for name in numbers}
    group, names = pd.factorize(values["episode"])
    rows = []
    for metric in METRICS:
        interval = confidence_interval(
            _resampled(metric.score, columns, group),
            len(names),
            config.confidence,
            config.resamples,
            config.seed,
        )
        rows.append([metric.name, interval.value, interval.low, interval.high, metric.best])
    table = pd.DataFrame(rows, columns=["metric", "value", "low", "high", "best"])
    return table.assign(states=len(values), episodes=len(names))


def _resampled(
    score: Callable[[ValueColumns], float], columns: ValueColumns, group: NDArray[np.int64]
) -> Statistic:
    """The score of states of which every one counts as often as its episode was drawn."""

    def one(weights: FloatArray) -> float:
        rows = np.repeat(np.arange(len(group)), weights[group].astype(np.int64))
        return score({name: values[rows] for name, values in columns.items()})

    def statistic(weights: FloatArray) -> FloatArray:
        return np.array([one(row) for row in weights])

    return statistic


_log = logging.getLogger(__name__)


def score_report(
    values: pd.DataFrame, gamma: float, config: OccupancyEvaluationConfig, model: str
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Scores with intervals, of the model of this name, and the numbers to track.

    Args:
        values: One row per state.
        gamma: Discount of the model.
        config: Split and bootstrap.
        model: How reports call it.
    """
    scores = score_table(values, config).assign(model=model)
    _log.info("%s, %d states of %s:\n%s", model, len(values), config.split, score_text(scores))
    return scores, {
        "gamma": gamma,
        **dict(scores[["metric", "value"]].itertuples(index=False)),
        "published_truth_share": share_within(gamma, published_horizon(gamma)),
        "states": len(values),
    }
