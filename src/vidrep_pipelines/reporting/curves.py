"""Curves of a training run."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator, PercentFormatter
from PIL import Image

from vidrep_pipelines.common.arrays import FloatArray
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.reporting.figures import COLORS, INK, SOFT_INK, image_of, plain_axes

_PROBE = "probe/"
_MOST_PROBED = 2
_SHARE_AVERAGED = 0.05
"""A smoothed curve averages over this share of the run."""


def loss_curves(
    log: pd.DataFrame,
    losses: Sequence[str] | None = None,
    *,
    step: str = "step",
    learning_rate: str = "optimizer/learning_rate",
    throughput: str = "speed/items_per_second",
    data_wait: str = "speed/data_wait_fraction",
    title: str = "",
) -> Image.Image:
    """Draws losses (raw and smoothed), learning rate, and throughput with the wait for data.

    Args:
        log: One row per logged update. A panel whose column is absent is left out. Scores of a probe that
            have an interval (``probe/x`` beside ``probe/x_low`` and ``probe/x_high``) get a panel each.
        losses: Columns of losses. None takes those whose name, after any ``/``, starts with ``loss`` or
            ``kl``.
        step: Column of the update's number.
        learning_rate: Column of the learning rate.
        throughput: Column of items per second.
        data_wait: Column of the share of time spent waiting for data, in [0, 1].
        title: Text above everything.

    Raises:
        InputError: The log is empty, or lacks the step or every loss.
    """
    names = [name for name in (_loss_columns(log) if losses is None else losses) if name in log]
    if log.empty or step not in log or not names:
        raise InputError(f"Curves need steps and losses; the log has {len(log)} rows of {list(log.columns)}.")
    panels = [name for name in (learning_rate, throughput) if name in log]
    rows = [row for row in (panels, _probed(log)) if row]
    figure = Figure(figsize=(11, 4.4 + 2 * len(rows)), layout="constrained", facecolor="white")
    grid = figure.add_gridspec(1 + len(rows), 1, height_ratios=[2.2, *[1] * len(rows)])
    steps = log[step].to_numpy(np.float64)
    _draw_losses(figure.add_subplot(grid[0]), steps, log[names])
    for number, row in enumerate(rows, start=1):
        places = grid[number].subgridspec(1, len(row))
        for column, name in enumerate(row):
            axes = figure.add_subplot(places[column])
            if name == learning_rate:
                _draw_learning_rate(axes, steps, log[name])
            elif name == throughput:
                _draw_throughput(axes, steps, log[name], log.get(data_wait))
            else:
                _draw_probe(axes, log[[step, name, f"{name}_low", f"{name}_high"]].dropna(), name)
    if title:
        figure.suptitle(f"{title}\n", x=0.01, ha="left", color=INK, fontsize=13)
    return image_of(figure)


def smoothed(values: FloatArray) -> FloatArray:
    """Centered running mean over a twentieth of the values; shorter windows at both ends, gaps left out."""
    window = max(1, round(len(values) * _SHARE_AVERAGED))
    return pd.Series(values).rolling(window, center=True, min_periods=1).mean().to_numpy(np.float64)


def _loss_columns(log: pd.DataFrame) -> list[str]:
    return [str(name) for name in log if str(name).rsplit("/", 1)[-1].startswith(("loss", "kl"))]


def _draw_losses(axes: Axes, steps: FloatArray, losses: pd.DataFrame) -> None:
    for number, name in enumerate(losses):
        values = losses[name].to_numpy(np.float64)
        shown = np.isfinite(values)
        color = COLORS[number % len(COLORS)]
        axes.plot(steps[shown], values[shown], color=color, alpha=0.22, linewidth=0.9)
        smooth = smoothed(values[shown])
        axes.plot(steps[shown], smooth, color=color, linewidth=2, marker="o" if shown.sum() == 1 else None)
        if shown.any():
            axes.plot([], [], color=color, linewidth=2, label=f"{name}  {smooth[-1]:.4g}")
    plain_axes(axes, "losses (raw and running mean; last mean in the legend)", "update")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    positive = losses.to_numpy(np.float64)
    positive = positive[np.isfinite(positive)]
    if positive.size and positive.min() > 0 and positive.max() > 20 * positive.min():
        _use_log_scale(axes)
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize=9.5, labelcolor=INK)


def _use_log_scale(axes: Axes) -> None:
    """A logarithmic axis that is labelled in plain numbers, also within a decade."""
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_locator(NullLocator())


def _probed(log: pd.DataFrame) -> list[str]:
    """The two first scores of a probe that have an interval."""
    names = [str(name) for name in log if str(name).startswith(_PROBE)]
    return [name for name in names if {f"{name}_low", f"{name}_high"} <= set(names)][:_MOST_PROBED]


def _draw_probe(axes: Axes, rows: pd.DataFrame, name: str) -> None:
    """A score with its interval; the one before the first update as the floor, all the way."""
    steps, values, low, high = rows.to_numpy(np.float64).T
    axes.fill_between(steps, low, high, color=COLORS[0], alpha=0.15, linewidth=0)
    axes.plot(steps, values, color=COLORS[0], linewidth=1.8, marker="o", markersize=3.5)
    if len(steps) and steps[0] == 0:
        axes.axhspan(low[0], high[0], color=SOFT_INK, alpha=0.12, linewidth=0)
        axes.axhline(values[0], color=SOFT_INK, linewidth=1.2, linestyle="--")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    plain_axes(axes, f"{name.removeprefix(_PROBE)}  (gray: untrained; 95 %)", "update")


def _draw_learning_rate(axes: Axes, steps: FloatArray, rates: pd.Series) -> None:
    axes.plot(steps, rates.to_numpy(np.float64), color=COLORS[4], linewidth=1.8)
    axes.set_ylim(bottom=0)
    axes.ticklabel_format(axis="y", style="sci", scilimits=(-2, 3))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    plain_axes(axes, "learning rate", "update")


def _draw_throughput(axes: Axes, steps: FloatArray, rates: pd.Series, waits: pd.Series | None) -> None:
    axes.plot(steps, smoothed(rates.to_numpy(np.float64)), color=COLORS[2], linewidth=1.8)
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    plain_axes(axes, "items per second", "update", COLORS[2])
    if waits is None:
        return
    right = axes.twinx()
    right.fill_between(steps, waits.to_numpy(np.float64), color=COLORS[3], alpha=0.25, linewidth=0)
    right.set_ylim(0, 1)
    right.yaxis.set_major_formatter(PercentFormatter(1.0))
    right.tick_params(colors=SOFT_INK, labelsize=9, length=0)
    right.spines[:].set_visible(False)
    right.set_title("waiting for data", loc="right", fontsize=10.5, color=COLORS[3])
