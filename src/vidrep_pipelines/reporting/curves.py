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
        log: One row per logged update. A panel whose column is absent is left out.
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
    figure = Figure(figsize=(11, 6.4 if panels else 4.4), layout="constrained", facecolor="white")
    grid = figure.add_gridspec(
        2 if panels else 1, max(len(panels), 1), height_ratios=[2.2, 1] if panels else [1]
    )
    steps = log[step].to_numpy(np.float64)
    _draw_losses(figure.add_subplot(grid[0, :]), steps, log[names])
    for column, name in enumerate(panels):
        axes = figure.add_subplot(grid[1, column])
        if name == learning_rate:
            _draw_learning_rate(axes, steps, log[name])
        else:
            _draw_throughput(axes, steps, log[name], log.get(data_wait))
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
