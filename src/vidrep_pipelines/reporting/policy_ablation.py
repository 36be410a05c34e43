"""Policies that differ in one thing or two, side by side: a picture and a text."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL.Image import Image

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.reporting.figures import COLORS, INK, SOFT_INK, image_of, notice, plain_axes

_APART = 0.1
"""Steps between the lines of one horizon, so that their intervals can be told apart."""

_QUESTIONS = {
    "right_object_change": "most of the change is where the named object was",
    "right_object": "nearest truth: the named object moves",
    "nearest_last": "nearest truth: that of the instruction",
}


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
        axes.legend(loc="best", frameon=False, fontsize=9, labelcolor=SOFT_INK)
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


def scores_text(scores: pd.DataFrame) -> str:
    """The scores as text, a line for each question and video model, with the success of the policy on it.

    Args:
        scores: Columns ``measure``, ``updates``, ``value``, ``low``, ``high``, ``chance``, ``success``,
            ``success_low``, ``success_high``.
    """
    lines = []
    for row in scores.to_dict("records"):
        name = f"{row['measure']} after {row['updates']} updates"
        score = f"{row['value']:.2f} [{row['low']:.2f}, {row['high']:.2f}] (chance {row['chance']:.2f})"
        success = f"{row['success']:.2f} [{row['success_low']:.2f}, {row['success_high']:.2f}]"
        lines.append(f"{name:<40} {score}  success {success}")
    return "\n".join(lines) or "(nothing was asked)"


def scores_picture(scores: pd.DataFrame, title: str) -> Image:
    """Success against the share of right answers, a panel for each question, a point for each video model.

    Args:
        scores: The columns of :func:`scores_text`, ``tables`` and ``episodes``.
        title: Text above everything.
    """
    measures = [name for name in _QUESTIONS if (scores["measure"] == name).any()]
    if not measures:
        return notice("No video model was asked whether it follows the instruction.")
    figure = Figure(figsize=(15.0, 4.8), layout="constrained", facecolor="white")
    panels = figure.subplots(1, len(measures), sharey=True, squeeze=False)[0]
    for axes, measure in zip(panels, measures, strict=True):
        _draw_scores(axes, scores[scores["measure"] == measure])
        plain_axes(axes, _QUESTIONS[measure], "share of instructions, line: chance")
        axes.set(xlim=(-0.02, 1.02), ylim=(0, 1.12))
    panels[0].set_ylabel("success of the policy", fontsize=9, color=SOFT_INK)
    tables, episodes = int(scores["tables"].max()), int(scores["episodes"].max())
    measured = f"{tables} tables, {episodes} episodes, 95 % intervals"
    figure.suptitle(f"{title}: {measured}", x=0.01, ha="left", color=INK, fontsize=12)
    return image_of(figure)


def _draw_scores(axes: Axes, scores: pd.DataFrame) -> None:
    rows = scores.sort_values("updates")
    success = rows["success"]
    reached = pd.DataFrame({"success": success, "low": rows["success_low"], "high": rows["success_high"]})
    right = pd.DataFrame({"success": rows["value"], "low": rows["low"], "high": rows["high"]})
    axes.axvline(float(rows["chance"].mean()), color=SOFT_INK, linewidth=1, linestyle=":")
    axes.plot(rows["value"], success, color=COLORS[0], linewidth=1, alpha=0.4)
    axes.errorbar(
        rows["value"],
        success,
        xerr=_reach(right),
        yerr=_reach(reached),
        color=COLORS[0],
        fmt="o",
        markersize=5,
        capsize=3,
        elinewidth=1,
    )
    for number, row in enumerate(rows.itertuples(index=False)):
        updates = int(str(row.updates))
        label = f"{updates} updates" if updates else "untrained"
        offset = (6, -12 if number % 2 else 5)  # neighbors may lie close together
        axes.annotate(label, (row.value, row.success), offset, textcoords="offset points",
                      fontsize=9, color=INK)  # fmt: skip
