"""What a training run of an occupancy model shows."""

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from vidrep_pipelines.reporting.figures import COLORS, SOFT_INK, image_of, plain_axes


def value_chart(predicted: NDArray[np.floating], returned: NDArray[np.floating]) -> Image.Image:
    """Draws predicted values (n,) against discounted returns (n,), with the line of equality."""
    figure = Figure(figsize=(5.2, 4.6), layout="constrained", facecolor="white")
    axes = figure.add_subplot()
    both = np.concatenate([predicted, returned])
    low, high = float(both.min()), float(both.max())
    axes.plot([low, high], [low, high], color=SOFT_INK, linewidth=1)
    axes.scatter(returned, predicted, s=16, color=COLORS[0], alpha=0.7, linewidths=0)
    error = float(np.sqrt(np.mean((predicted - returned) ** 2)))
    plain_axes(axes, f"Predicted value (error {error:.3g})", "Discounted return of the rest of the episode")
    return image_of(figure)
