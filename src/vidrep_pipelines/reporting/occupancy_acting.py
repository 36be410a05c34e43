"""What acting on values reached, as a picture."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL.Image import Image

from vidrep_pipelines.reporting.figures import COLORS, INK, PALE, SOFT_INK, image_of, plain_axes

_CALLED = {
    "occupancy": "values of the\noccupancy model",
    "returns": "what similar states\nreturned",
    "retrieved": "similar states,\nby chance",
    "cloned": "behavior cloning",
    "cloned_best": "cloning of the\nbest episodes",
    "random": "random",
    "still": "none",
    "scripted": "scripted expert",
}
_MODEL, _FLOOR, _CEILING = COLORS[0], COLORS[3], COLORS[2]


def acting_bars(reached: pd.DataFrame) -> Image:
    """Draws shares of success and progress by who chose the actions, with 95 % intervals.

    Args:
        reached: One row per condition: condition, episodes, success, low, high, progress, progress_low,
            progress_high.
    """
    figure = Figure(figsize=(max(7.0, 1.45 * len(reached)), 6.4), layout="constrained", facecolor="white")
    above, below = figure.subplots(2, 1)
    episodes = int(reached["episodes"].max())
    _draw(above, reached, "success", "low", "high")
    plain_axes(above, f"share of {episodes} episodes in which the object came to its goal (95 % interval)")
    _draw(below, reached, "progress", "progress_low", "progress_high")
    plain_axes(below, "how much nearer the object came, as a share of the way")
    return image_of(figure)


def _draw(axes: Axes, reached: pd.DataFrame, value: str, low: str, high: str) -> None:
    names = [str(name) for name in reached["condition"]]
    colors = [{"occupancy": _MODEL, "scripted": _CEILING}.get(name, _FLOOR) for name in names]
    places = np.arange(len(names))
    values, lowest, highest = (reached[name].to_numpy(np.float64) for name in (value, low, high))
    axes.bar(places, values, 0.62, color=colors, alpha=0.85)
    reach = np.maximum([values - lowest, highest - values], 0)
    axes.errorbar(places, values, reach, fmt="none", ecolor=INK, elinewidth=1, capsize=3)
    for place, number, top in zip(places, values, highest, strict=True):
        axes.annotate(
            f"{number:.2f}", (place, top), (0, 3), textcoords="offset points", ha="center", color=INK
        )
    axes.axhline(0, color=PALE, linewidth=1)
    axes.set_xticks(places, [_CALLED.get(name, name) for name in names], color=SOFT_INK)
    axes.set_ylim(min(0.0, float(lowest.min()) - 0.05), 1.12)
