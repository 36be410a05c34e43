"""Charts and tables of how well occupancy models predict values."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL.Image import Image

from vidrep_pipelines.common.arrays import FloatArray
from vidrep_pipelines.reporting.figures import COLORS, INK, PALE, SOFT_INK, image_of, plain_axes

_MODEL, _PLACES, _REGRESSION = COLORS[0], COLORS[1], COLORS[3]
_EPISODES_SHOWN, _BINS = 6, 10
_COMPARED = {
    "value error, lower is better": (
        *("value_error", "value_error_place_regression"),
        *("value_error_regression", "value_error_constant"),
    ),
    "rank correlation of values": (
        *("value_rank_correlation", "value_rank_correlation_place_regression"),
        "value_rank_correlation_regression",
    ),
    "log-likelihood of real futures, nats per token": ("log_likelihood", "log_likelihood_frequencies"),
    "calibration error, lower is better": ("calibration_error",),
}
_ROLES = {  # by the end of a metric's name; the longer end first
    "place_regression": ("linear regression on tokens per place", _PLACES),
    "regression": ("linear regression on token counts", _REGRESSION),
    "constant": ("constant value", SOFT_INK),
    "frequencies": ("frequencies of tokens", SOFT_INK),
}


def score_text(scores: pd.DataFrame) -> str:
    """Scores as text: a row per metric, a column per model, intervals in brackets.

    Args:
        scores: Columns model, metric, value, low, high.
    """
    cells = [
        f"{value:.4g} [{low:.4g}, {high:.4g}]"
        for value, low, high in scores[["value", "low", "high"]].itertuples(index=False)
    ]
    table = scores.assign(cell=cells)
    wide = table.pivot_table(index="metric", columns="model", values="cell", aggfunc="first", sort=False)
    return wide.to_string()


def _by_metric(scores: pd.DataFrame) -> dict[str, float]:
    return dict(zip(scores["metric"], scores["value"], strict=True))


def value_scatter(values: pd.DataFrame, scores: pd.DataFrame) -> Image:
    """Draws predictions against discounted returns: the model's, and those of two linear regressions.

    Args:
        values: One row per state: returned, predicted, place_regression, regression, constant.
        scores: Columns metric and value.
    """
    score = _by_metric(scores)
    figure = Figure(figsize=(13.4, 4.6), layout="constrained", facecolor="white")
    shown = values[["returned", "predicted", "place_regression", "regression"]].to_numpy(np.float64)
    limits = float(shown.min()), float(shown.max())
    panels = (
        ("predicted", "occupancy model", _MODEL, ""),
        ("place_regression", _ROLES["place_regression"][0], _PLACES, "_place_regression"),
        ("regression", _ROLES["regression"][0], _REGRESSION, "_regression"),
    )
    for number, (column, title, color, which) in enumerate(panels, 1):
        axes = figure.add_subplot(1, len(panels), number)
        axes.plot(limits, limits, color=SOFT_INK, linewidth=1)
        axes.axhline(float(values["constant"].iloc[0]), color=SOFT_INK, linewidth=0.8, linestyle="--")
        axes.scatter(values["returned"], values[column], s=14, color=color, alpha=0.6, linewidths=0)
        error, correlation = score[f"value_error{which}"], score[f"value_rank_correlation{which}"]
        numbers = f"error {error:.3g}, rank correlation {correlation:.2f}"
        plain_axes(axes, f"Value by {title}\n{numbers}", "discounted return of the rest of the episode")
        axes.set_xlim(*limits)
        axes.set_ylim(*limits)
    constant = f"Dashed: the constant baseline, error {score['value_error_constant']:.3g}"
    figure.supxlabel(constant, fontsize=9, color=SOFT_INK)
    return image_of(figure)


def values_along_episodes(values: pd.DataFrame) -> Image:
    """Draws what episodes were worth from each step on, and what was predicted, an episode per panel.

    Of many episodes those are shown that are spread evenly over how much their values vary.

    Args:
        values: One row per state: episode, step, returned, predicted, predicted_deviation, regression.
    """
    variation = values.groupby("episode", sort=False)["returned"].std(ddof=0).sort_values(ascending=False)
    picked = np.unique(np.linspace(0, len(variation) - 1, min(_EPISODES_SHOWN, len(variation))).round())
    names = variation.index[picked.astype(int)]
    columns = min(3, len(names))
    lines = -(-len(names) // columns)
    figure = Figure(figsize=(4.2 * columns, 2.9 * lines + 0.4), layout="constrained", facecolor="white")
    first: Axes | None = None
    for number, name in enumerate(names, 1):
        axes = figure.add_subplot(lines, columns, number, sharey=first)
        first = first or axes
        _draw_episode(axes, values[values["episode"] == name])
        plain_axes(axes, str(name), "step" if number > len(names) - columns else "")
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside upper left", ncols=3, frameon=False, fontsize=9, labelcolor=SOFT_INK
    )
    return image_of(figure)


def _draw_episode(axes: Axes, rows: pd.DataFrame) -> None:
    steps, predicted = rows["step"].to_numpy(), rows["predicted"].to_numpy(np.float64)
    spread = rows["predicted_deviation"].to_numpy(np.float64)
    axes.plot(steps, rows["returned"], color=INK, linewidth=1.6, label="discounted return")
    axes.plot(steps, predicted, color=_MODEL, linewidth=1.6, label="occupancy model, 1 s.d. of sampling")
    axes.fill_between(steps, predicted - spread, predicted + spread, color=_MODEL, alpha=0.2, linewidth=0)
    axes.plot(
        steps, rows["regression"], color=_REGRESSION, linewidth=1.0, linestyle="--", label="linear regression"
    )


def calibration_chart(values: pd.DataFrame, scores: pd.DataFrame) -> Image:
    """Draws whether samples spread as much as reality, and whether high values are as high as said.

    Args:
        values: One row per state: calibration_share, predicted, returned.
        scores: Columns metric and value.
    """
    score = _by_metric(scores)
    figure = Figure(figsize=(9.6, 4.4), layout="constrained", facecolor="white")
    left, right = figure.subplots(1, 2)
    shares = np.sort(values["calibration_share"].to_numpy(np.float64))
    even = (np.arange(len(shares)) + 0.5) / len(shares)
    left.plot([0, 1], [0, 1], color=SOFT_INK, linewidth=1)
    left.fill_between(shares, shares, even, color=_MODEL, alpha=0.15, linewidth=0)
    left.plot(shares, even, color=_MODEL, linewidth=1.8)
    title = f"Share of real futures below a quantile\ncalibration error {score['calibration_error']:.3f}"
    plain_axes(left, title, "quantile of the samples' rewards")
    predicted, returned = (values[name].to_numpy(np.float64) for name in ("predicted", "returned"))
    ends = float(min(predicted.min(), returned.min())), float(max(predicted.max(), returned.max()))
    right.plot(ends, ends, color=SOFT_INK, linewidth=1)
    centers, means, errors = _binned(predicted, returned)
    right.errorbar(centers, means, errors, fmt="o", color=_MODEL, markersize=5, elinewidth=1)
    plain_axes(right, f"Mean return of states of equal value\nslope {score['value_slope']:.2f}", "value")
    return image_of(figure)


def _binned(predicted: FloatArray, returned: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Mean prediction, mean return and its standard error in bins of equally many states."""
    bins = np.array_split(np.argsort(predicted, kind="stable"), min(_BINS, len(predicted)))
    rows = [
        (predicted[rows].mean(), returned[rows].mean(), returned[rows].std() / np.sqrt(len(rows)))
        for rows in bins
    ]
    centers, means, errors = np.array(rows).T
    return centers, means, errors


def occupancy_comparison(scores: pd.DataFrame) -> Image:
    """Draws the main metrics of several models, with intervals, beside those of their baselines.

    Args:
        scores: Columns model, metric, value, low, high.
    """
    models = list(scores["model"].unique())
    figure = Figure(figsize=(8.8, 6.4), layout="constrained", facecolor="white")
    for number, (title, names) in enumerate(_COMPARED.items(), 1):
        axes = figure.add_subplot(2, 2, number)
        for place, name in enumerate(names):
            rows = scores[scores["metric"] == name].set_index("model").loc[models]
            _draw_role(axes, rows, name, place, len(names))
        axes.set_xticks(np.arange(len(models)), models)
        axes.axhline(0, color=PALE, linewidth=1)
        plain_axes(axes, title)
    labels = {
        label: handle
        for axes in figure.axes
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    figure.legend(
        labels.values(), labels.keys(), loc="outside lower left", ncols=2, frameon=False, labelcolor=SOFT_INK
    )
    return image_of(figure)


def _draw_role(axes: Axes, rows: pd.DataFrame, metric: str, place: int, places: int) -> None:
    label, color = next(
        (role for suffix, role in _ROLES.items() if metric.endswith(suffix)), ("occupancy model", _MODEL)
    )
    width = 0.75 / places
    positions = np.arange(len(rows)) + (place - (places - 1) / 2) * width
    values = rows["value"].to_numpy(np.float64)
    reach = np.abs(rows[["low", "high"]].to_numpy(np.float64).T - values)
    axes.bar(positions, values, width=width * 0.9, color=color, alpha=0.85, label=label)
    axes.errorbar(positions, values, reach, fmt="none", ecolor=INK, elinewidth=1)
