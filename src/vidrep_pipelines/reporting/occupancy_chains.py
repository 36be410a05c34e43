"""Errors of occupancy models on Markov chains, as a picture."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator
from PIL.Image import Image

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.reporting.figures import COLORS, INK, SOFT_INK, image_of, plain_axes

_JITTER = 0.24


def chain_chart(scores: pd.DataFrame, curves: pd.DataFrame) -> Image:
    """Draws a row per kind of chain: error of values, total variation, and the former while learning.

    A dot is a run, the line across its column the median of the runs. Errors of values are relative to that
    of predicting the mean value for all states, which is the dashed line.

    Args:
        scores: Columns kind, learner, total_variation, value_error, mean_value_error; one row per run.
        curves: The same with a column update; one row per run and measured update.

    Raises:
        InputError: There are no runs.
    """
    if scores.empty:
        raise InputError("There is no run on a chain to draw.")
    kinds, learners = list(dict.fromkeys(scores["kind"])), list(dict.fromkeys(scores["learner"]))
    figure = Figure(figsize=(14, 3.7 * len(kinds)), layout="constrained", facecolor="white")
    grid = figure.add_gridspec(len(kinds), 3, width_ratios=[1, 1, 1.25])
    for row, kind in enumerate(kinds):
        own, course = scores[scores["kind"] == kind], curves[curves["kind"] == kind]
        name = kind.replace("_", " ")
        errors, variation, while_learning = (figure.add_subplot(grid[row, column]) for column in range(3))
        _draw_runs(errors, own.assign(shown=_relative_error(own)), learners)
        _draw_mean_line(errors)
        plain_axes(errors, f"{name}: relative error of values")
        _draw_runs(variation, own.assign(shown=own["total_variation"]), learners)
        plain_axes(variation, f"{name}: total variation of the occupancy")
        _draw_course(while_learning, course.assign(shown=_relative_error(course)), learners)
        _draw_mean_line(while_learning)
        title = f"{name}: error of values while learning (dashed: predicting the mean)"
        plain_axes(while_learning, title, "update")
        for axes in (errors, variation, while_learning):
            _use_plain_log_scale(axes)
    return image_of(figure)


def _relative_error(runs: pd.DataFrame) -> "pd.Series[float]":
    return runs["value_error"] / runs["mean_value_error"]


def _draw_runs(axes: Axes, runs: pd.DataFrame, learners: Sequence[str]) -> None:
    for number, learner in enumerate(learners):
        values = runs.loc[runs["learner"] == learner, "shown"].to_numpy(np.float64)
        if len(values) == 0:  # all of its runs on this kind of chain failed
            continue
        color = COLORS[number % len(COLORS)]
        places = number + np.linspace(-_JITTER, _JITTER, len(values)) * (len(values) > 1)
        axes.scatter(places, values, s=22, color=color, alpha=0.55, linewidths=0)
        median = float(np.median(values))
        axes.plot([number - 0.36, number + 0.36], [median] * 2, color=color, linewidth=2.2)
        axes.annotate(f"{median:.2g}", (number + 0.4, median), fontsize=8.5, color=INK, va="center")
    axes.set_xlim(-0.6, len(learners) - 0.2)
    axes.set_xticks(range(len(learners)), [name.replace("_", " ") for name in learners])


def _draw_course(axes: Axes, course: pd.DataFrame, learners: Sequence[str]) -> None:
    for number, learner in enumerate(learners):
        medians = course[course["learner"] == learner].groupby("update")["shown"].median()
        color = COLORS[number % len(COLORS)]
        name = learner.replace("_", " ")
        axes.plot(medians.index, medians, color=color, linewidth=2, marker="o", markersize=3, label=name)
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize=9.5, labelcolor=INK)


def _draw_mean_line(axes: Axes) -> None:
    axes.axhline(1.0, color=SOFT_INK, linewidth=1, linestyle=(0, (4, 3)))


def _use_plain_log_scale(axes: Axes) -> None:
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_locator(NullLocator())
