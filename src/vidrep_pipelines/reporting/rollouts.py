"""How often policies did their tasks, as pictures and text."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL.Image import Image

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.reporting.figures import COLORS, INK, SOFT_INK, image_of, plain_axes


def success_text(successes: pd.DataFrame, by: str = "condition") -> str:
    """Shares of success with their intervals as text, a line for each row.

    Args:
        successes: Columns ``by``, ``success``, ``low``, ``high``, ``successes``, ``episodes``.
        by: What rows are told apart by.
    """
    width = max((len(str(name)) for name in successes[by]), default=0)
    lines = [
        f"{getattr(row, by)!s:<{width}}  {row.success:.2f} [{row.low:.2f}, {row.high:.2f}]  "
        f"{row.successes} of {row.episodes}"
        for row in successes.itertuples(index=False)
    ]
    return "\n".join(lines)


def success_bars(successes: pd.DataFrame, by_task: pd.DataFrame, title: str) -> Image:
    """Bars with 95 % intervals: all conditions, and below them every task of each.

    Args:
        successes: Columns ``condition``, ``success``, ``low``, ``high``, ``episodes``.
        by_task: The same with the column ``task``.
        title: Text above everything.

    Raises:
        InputError: There is nothing to draw.
    """
    if successes.empty:
        raise InputError("Bars of success were asked for, but nothing was rolled out.")
    conditions = list(successes["condition"])
    tasks = list(dict.fromkeys(by_task["task"]))
    figure = Figure(figsize=(max(6.5, 1.35 * len(conditions)), 7.2), layout="constrained", facecolor="white")
    above, below = figure.subplots(2, 1, height_ratios=[1.2, 1])
    places = np.arange(len(conditions), dtype=np.float64)
    _draw_shares(above, places, successes, [COLORS[place % len(COLORS)] for place in range(len(places))], 0.6)
    above.set_xticks(places, [name.replace("_", "\n") for name in conditions], fontsize=9.5, color=SOFT_INK)
    episodes = int(successes["episodes"].max())
    plain_axes(above, f"share of {episodes} episodes in which the task was done (95 % interval)")
    width = 0.8 / max(len(tasks), 1)
    for number, task in enumerate(tasks):
        own = by_task[by_task["task"] == task].set_index("condition").reindex(conditions).reset_index()
        shifted = places + (number - (len(tasks) - 1) / 2) * width
        _draw_shares(below, shifted, own, [COLORS[number % len(COLORS)]] * len(own), 0.9 * width, label=task)
    below.set_xticks(places, [name.replace("_", "\n") for name in conditions], fontsize=9.5, color=SOFT_INK)
    plain_axes(below, "by task")
    handles, labels = below.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower left", ncols=6, frameon=False, labelcolor=SOFT_INK)
    figure.suptitle(f"{title}\n", x=0.01, ha="left", color=INK, fontsize=12)
    return image_of(figure)


def _draw_shares(
    axes: Axes,
    places: "np.typing.NDArray[np.float64]",
    rows: pd.DataFrame,
    colors: Sequence[str],
    width: float,
    label: str | None = None,
) -> None:
    values, low, high = (rows[name].to_numpy(np.float64) for name in ("success", "low", "high"))
    axes.bar(places, values, width, color=list(colors), label=label)
    reach = np.nan_to_num(np.maximum([values - low, high - values], 0))
    axes.errorbar(
        places, values, reach, fmt="none", ecolor=INK, elinewidth=1, capsize=3 if label is None else 0
    )
    if label is None:
        for place, value, top in zip(places, values, high, strict=True):
            axes.annotate(f"{value:.2f}", (place, top), (0, 3), textcoords="offset points", ha="center",
                          fontsize=9.5, color=INK)  # fmt: skip
    axes.set_ylim(0, 1.12)
