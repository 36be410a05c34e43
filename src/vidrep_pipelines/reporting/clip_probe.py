"""Which classes of clips are taken for which."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from PIL import Image

from vidrep_pipelines.reporting.figures import INK, SOFT_INK, image_of

_MOST_CLASSES = 24
_DARK = 0.55


def confusion_picture(confusion: pd.DataFrame, title: str) -> Image.Image:
    """A matrix of true classes and answers, in percent of a true class's clips.

    Args:
        confusion: Columns ``true``, ``answer`` and ``clips``. Of many classes those with the most clips are
            shown.
        title: Text above it.
    """
    counts = confusion.pivot_table(
        index="true", columns="answer", values="clips", aggfunc="sum", fill_value=0
    )
    names = sorted(counts.sum(axis=1).sort_values(ascending=False, kind="stable").index[:_MOST_CLASSES])
    totals = counts.sum(axis=1).loc[names].to_numpy(np.float64)
    shown = counts.reindex(index=names, columns=names, fill_value=0).to_numpy(np.float64) / totals[:, None]
    side = max(4.0, 2.2 + 0.42 * len(names))
    figure = Figure(figsize=(side + 0.6, side), layout="constrained", facecolor="white")
    axes = figure.subplots()
    axes.imshow(shown, cmap="Blues", vmin=0, vmax=1)
    places = range(len(names))
    for row in places:
        for column in places:
            if shown[row, column] >= 0.005:
                color = "white" if shown[row, column] > _DARK else INK
                text = f"{100 * shown[row, column]:.0f}"
                axes.text(column, row, text, ha="center", va="center", color=color, fontsize=8.5)
    axes.set_xticks(places, names, rotation=40, ha="right", fontsize=8.5, color=SOFT_INK)
    axes.set_yticks(places, names, fontsize=8.5, color=SOFT_INK)
    axes.set_xlabel("answer", fontsize=9, color=SOFT_INK)
    axes.set_ylabel("class (% of its clips)", fontsize=9, color=SOFT_INK)
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    figure.suptitle(f"{title}\n", x=0.01, ha="left", color=INK, fontsize=11)
    return image_of(figure)
