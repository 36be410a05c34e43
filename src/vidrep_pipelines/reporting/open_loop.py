"""What a policy would have done beside what was done, as one picture."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL.Image import Image

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.reporting.figures import COLORS, INK, SOFT_INK, image_of, plain_axes

_STYLES = {
    "policy": ("policy", COLORS[0], "-"),
    "mean_action": ("mean action", SOFT_INK, "--"),
    "last_action": ("last action repeated", COLORS[3], "-."),
}
_COLUMNS = 3


def open_loop_chart(rows: pd.DataFrame, errors: pd.DataFrame) -> Image:
    """Errors over the chunk's steps, and per number of an action the first episode: recorded, and each chunk.

    Args:
        rows: Columns episode, frame, done_at, dimension, recorded, policy.
        errors: Columns predictor, measure, part, number, value, low, high.

    Raises:
        InputError: There is nothing to draw.
    """
    if rows.empty:
        raise InputError("A chart of replayed actions was asked for, but nothing was replayed.")
    first = rows[rows["episode"] == rows["episode"].iloc[0]]
    dimensions = sorted(first["dimension"].unique())
    lines = -(-len(dimensions) // _COLUMNS)
    figure = Figure(figsize=(12.0, 2.6 + 1.9 * lines), layout="constrained", facecolor="white")
    grid = figure.add_gridspec(1 + lines, _COLUMNS, height_ratios=[1.4, *[1.0] * lines])
    for column, measure in enumerate(("absolute", "squared")):
        _draw_horizon(figure.add_subplot(grid[0, column]), errors[errors["measure"] == measure], measure)
    for number, dimension in enumerate(dimensions):
        axes = figure.add_subplot(grid[1 + number // _COLUMNS, number % _COLUMNS])
        _draw_dimension(axes, first[first["dimension"] == dimension], int(dimension))
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="upper right", frameon=False, fontsize=9.5, labelcolor=INK)
    figure.suptitle(
        f"Open loop: {errors['episodes'].max()} episodes; below, {first['episode'].iloc[0]}: recorded in "
        "gray, every chunk in blue",
        fontsize=10.5,
        color=INK,
        ha="left",
        x=0.01,
    )
    return image_of(figure)


def _draw_horizon(axes: Axes, errors: pd.DataFrame, measure: str) -> None:
    steps = errors[errors["part"] == "step"]
    for predictor, (name, color, style) in _STYLES.items():
        own = steps[steps["predictor"] == predictor].sort_values("number")
        axes.plot(own["number"], own["value"], style, color=color, label=name, linewidth=1.6)
        axes.fill_between(own["number"], own["low"], own["high"], color=color, alpha=0.15, linewidth=0)
    axes.set_ylim(bottom=0)
    plain_axes(axes, f"mean {measure} error (95 % interval)", "step of the chunk")


def _draw_dimension(axes: Axes, rows: pd.DataFrame, dimension: int) -> None:
    recorded = rows.drop_duplicates("done_at").sort_values("done_at")
    axes.plot(recorded["done_at"], recorded["recorded"], color=SOFT_INK, linewidth=2.2, alpha=0.6)
    for _, chunk in rows.groupby("frame"):
        axes.plot(chunk["done_at"], chunk["policy"], color=COLORS[0], linewidth=1.1, marker=".", markersize=3)
    plain_axes(axes, f"number {dimension}", "frame")
