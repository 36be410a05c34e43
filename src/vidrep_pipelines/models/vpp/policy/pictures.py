"""What a policy would do beside what was done, for people."""

from collections.abc import Sequence
from textwrap import shorten

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL.Image import Image
from torch import Tensor

from vidrep_pipelines.common.arrays import FloatArray
from vidrep_pipelines.reporting.figures import COLORS, INK, SOFT_INK, image_of, plain_axes

_SHOWN_NUMBERS = 8
_TITLE = 44


def chunk_sheet(truth: Tensor, sampled: Tensor, texts: Sequence[str]) -> Image:
    """Draws chunks of actions, a column for each and a row for each number of an action.

    Args:
        truth: (N, A, a) what was done, around -1..1.
        sampled: (N, A, a) what the policy would do.
        texts: N instructions.
    """
    shown = min(truth.shape[-1], _SHOWN_NUMBERS)
    figure = Figure(figsize=(3.1 * len(truth), 1.15 * shown + 0.9), layout="constrained", facecolor="white")
    grid = figure.subplots(shown, len(truth), squeeze=False, sharex=True, sharey=True)
    done, would = truth.double().numpy(), sampled.double().numpy()
    for column, text in enumerate(texts):
        for number in range(shown):
            axes: Axes = grid[number, column]
            _draw_number(axes, done[column, :, number], would[column, :, number])
            plain_axes(axes, shorten(text, _TITLE) if number == 0 else "")
            axes.set_ylabel(f"number {number}" if column == 0 else "", fontsize=8.5, color=SOFT_INK)
    grid[0, 0].legend(loc="upper left", fontsize=8, frameon=False)
    error = float(np.square(would - done).mean())
    left_out = f", the first {shown} of {truth.shape[-1]} numbers" if shown < truth.shape[-1] else ""
    figure.suptitle(
        f"Chunks of actions, as they are learned{left_out}: mean squared error {error:.3g}\n",
        x=0.01, ha="left", color=INK, fontsize=11,
    )  # fmt: skip
    return image_of(figure)


def _draw_number(axes: Axes, done: FloatArray, would: FloatArray) -> None:
    steps = np.arange(len(done))
    axes.plot(steps, done, color=SOFT_INK, linewidth=2.2, label="done")
    axes.plot(steps, would, color=COLORS[0], linewidth=1.6, marker="o", markersize=2.6, label="policy")
    axes.set_ylim(-1.25, 1.25)
