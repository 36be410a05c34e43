"""Policies that differ in one thing or two, side by side: a picture and a text."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL.Image import Image

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.reporting.figures import COLORS, INK, SOFT_INK, image_of, plain_axes

_APART = 0.1
"""Steps between the lines of one horizon, so that their intervals can be told apart."""


def ablation_text(table: pd.DataFrame) -> str:
    """The table as text, a line for each row: success and difference from the reference, with intervals."""
    lines = []
    for row in table.to_dict("records"):
        name = f"{row['policy']} ({row['execute_steps']} steps)"
        success = f"{row['success']:.2f} [{row['low']:.2f}, {row['high']:.2f}]"
        less = f"{row['difference']:+.2f} [{row['difference_low']:+.2f}, {row['difference_high']:+.2f}]"
        lines.append(f"{name:<32} {success}  {less}  {row['differs_in'] or 'reference'}")
    return "\n".join(lines)


def ablation_picture(table: pd.DataFrame, title: str) -> Image:
    """Success against the number of demonstrations, by features, and against the execution horizon.

    Args:
        table: Columns ``policy``, ``features``, ``demonstrations``, ``execute_steps``, ``differs_in``,
            ``success``, ``low``, ``high``, ``episodes``.
        title: Text above everything.

    Raises:
        InputError: There is nothing to draw.
    """
    if table.empty:
        raise InputError("A picture of policies was asked for, but nothing was rolled out.")
    figure = Figure(figsize=(15.0, 4.8), layout="constrained", facecolor="white")
    left, middle, right = figure.subplots(1, 3, width_ratios=[1, 1.35, 1.1], sharey=True)
    _draw_demonstrations(left, table)
    _draw_features(middle, table)
    _draw_horizons(right, table)
    episodes = int(table["episodes"].max())
    share = f"share of {episodes} episodes in which the task was done, 95 % intervals"
    figure.suptitle(f"{title}: {share}", x=0.01, ha="left", color=INK, fontsize=12)
    return image_of(figure)


def _draw_demonstrations(axes: Axes, table: pd.DataFrame) -> None:
    rows = table[table["differs_in"].isin(["", "demonstrations"])].dropna(subset=["demonstrations"])
    rows = rows.sort_values("demonstrations")
    counts = [int(count) for count in rows["demonstrations"]]
    _draw_line(axes, counts, rows, COLORS[0], None)
    if counts:
        axes.set_xscale("log")
        axes.set_xticks(counts, [str(count) for count in counts])
        axes.minorticks_off()
    plain_axes(axes, "by demonstrations", "demonstrations")


def _draw_features(axes: Axes, table: pd.DataFrame) -> None:
    rows = table[table["differs_in"].isin(["", "features"])]
    places = list(range(len(rows)))
    colors = [COLORS[0] if name == "" else COLORS[1] for name in rows["differs_in"]]
    axes.bar(places, rows["success"], 0.6, color=colors)
    axes.errorbar(places, rows["success"], _reach(rows), fmt="none", ecolor=INK, elinewidth=1, capsize=3)
    for place, row in zip(places, rows.itertuples(index=False), strict=True):
        axes.annotate(f"{row.success:.2f}", (place, row.high), (0, 3), textcoords="offset points",
                      ha="center", fontsize=9.5, color=INK)  # fmt: skip
    axes.set_xticks(places, [name.replace("_", "\n") for name in rows["features"]], color=SOFT_INK)
    plain_axes(axes, "by features")


def _draw_horizons(axes: Axes, table: pd.DataFrame) -> None:
    swept = table.groupby("policy", sort=False).filter(lambda rows: len(rows) > 1)
    for number, (policy, own) in enumerate(swept.groupby("policy", sort=False)):
        rows = own.sort_values("execute_steps")
        apart = (number - (swept["policy"].nunique() - 1) / 2) * _APART
        places = (rows["execute_steps"] + apart).tolist()
        _draw_line(axes, places, rows, COLORS[number % len(COLORS)], str(policy))
    if len(swept):
        axes.set_xticks(sorted(set(swept["execute_steps"])))
        axes.legend(loc="lower right", frameon=False, fontsize=9, labelcolor=SOFT_INK)
    plain_axes(axes, "by execution horizon", "actions executed before the next plan")
    axes.set_ylim(0, 1.12)


def _draw_line(
    axes: Axes, places: Sequence[float], rows: pd.DataFrame, color: str, label: str | None
) -> None:
    axes.errorbar(
        places,
        rows["success"],
        _reach(rows),
        color=color,
        marker="o",
        markersize=5,
        capsize=3,
        elinewidth=1,
        label=label,
    )


def _reach(rows: pd.DataFrame) -> list[list[float]]:
    """How far intervals reach down and up."""
    down, up = rows["success"] - rows["low"], rows["high"] - rows["success"]
    return [down.clip(lower=0).tolist(), up.clip(lower=0).tolist()]
