"""How many tasks in a row policies do on CALVIN, as a chart."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from vidrep_pipelines.reporting.figures import COLORS, INK, PALE, SOFT_INK, image_of, plain_axes

_FLOOR_COLORS = {"random": SOFT_INK, "still": "#a4adb8"}
_GROUP = 0.8
"""Share of the room of a group of bars that bars fill."""


def chain_picture(
    chains: pd.DataFrame, lengths: pd.DataFrame, tasks: pd.DataFrame, heading: str
) -> Image.Image:
    """Draws success of 1, 2, ... tasks in a row with intervals, and beside it success of every task.

    Args:
        chains: Columns policy, tasks_in_a_row, success, low, high.
        lengths: Columns policy, average_length, low, high, sequences.
        tasks: Columns policy, task, success, low, high, episodes; drawn for the first policy alone, as floors
            reach few tasks.
        heading: Said above both.
    """
    policies = list(dict.fromkeys(chains["policy"]))
    own = tasks[tasks["policy"] == policies[0]]
    height = max(4.2, 0.9 + 0.2 * len(own))
    figure = Figure(figsize=(11.0, height), layout="constrained", facecolor="white")
    left, right = figure.subplots(1, 2, width_ratios=(1.15, 1.0))
    _draw_chains(left, chains, lengths)
    _draw_tasks(right, own, _color(0, policies[0]))
    plain_axes(left, "Tasks done in a row", "at least so many of five")
    plain_axes(right, f"Tasks as {policies[0]} attempts them", "share done; in brackets how often attempted")
    right.grid(visible=False, axis="y")
    right.grid(axis="x", color=PALE, linewidth=0.8)
    figure.suptitle(heading, x=0.01, ha="left", fontsize=11.5, color=INK)
    return image_of(figure)


def _color(number: int, policy: str) -> str:
    return _FLOOR_COLORS.get(policy, COLORS[number % len(COLORS)])


def _draw_chains(axes: Axes, chains: pd.DataFrame, lengths: pd.DataFrame) -> None:
    """Bars, a group for each number in a row; the legend says the average lengths."""
    width = _GROUP / len(lengths)
    for number, row in enumerate(lengths.to_dict("records")):
        own = chains[chains["policy"] == row["policy"]]
        places = own["tasks_in_a_row"].to_numpy(np.float64) + (number - (len(lengths) - 1) / 2) * width
        color = _color(number, row["policy"])
        told = f"{row['policy']}: {row['average_length']:.2f} [{row['low']:.2f}, {row['high']:.2f}]"
        label = f"{told} tasks on average, {row['sequences']} sequences"
        axes.bar(places, own["success"], 0.9 * width, color=color, label=label)
        axes.vlines(places, own["low"], own["high"], color=INK, linewidth=1)
        for place, share, high in zip(places, own["success"], own["high"], strict=True):
            axes.text(place, high + 0.015, f"{100 * share:.0f}", ha="center", fontsize=8, color=SOFT_INK)
    axes.set_xticks(sorted(set(chains["tasks_in_a_row"])))
    axes.set_ylim(0, 1.32)
    axes.set_yticks(np.linspace(0, 1, 6), [f"{share} %" for share in range(0, 101, 20)])
    axes.legend(loc="upper right", frameon=False, fontsize=9, labelcolor=SOFT_INK)


def _draw_tasks(axes: Axes, tasks: pd.DataFrame, color: str) -> None:
    places = np.arange(len(tasks))[::-1]
    axes.barh(places, tasks["success"], 0.62, color=color)
    axes.hlines(places, tasks["low"], tasks["high"], color=INK, linewidth=1)
    pairs = tasks[["task", "episodes"]].itertuples(index=False)
    names = [f"{task.replace('_', ' ')} ({count})" for task, count in pairs]
    axes.set_yticks(places, names)
    axes.set_xlim(0, 1.02)
    axes.set_xticks(np.linspace(0, 1, 6), [f"{share} %" for share in range(0, 101, 20)])
    axes.set_ylim(-0.7, len(tasks) - 0.3)
