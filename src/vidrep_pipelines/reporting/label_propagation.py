"""What label propagation found, as pictures."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from vidrep_pipelines.common.arrays import Pixels
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.label_sequences.images import DAVIS_PALETTE
from vidrep_pipelines.reporting.figures import COLORS, INK, SOFT_INK, image_of, plain_axes
from vidrep_pipelines.reporting.pictures import ImageRow, image_grid, text_band

_OPACITY = 0.45
_CONTOUR_SHARE = 1 / 240  # of the picture's height
_JOINT_SHARE = 1 / 60
_PANEL_HEIGHT = 240
_VOID = 255
# DAVIS' colors are dark: over a picture, twice as bright ones are told apart more easily.
_OVERLAY_COLORS = np.minimum(2 * np.array(DAVIS_PALETTE, dtype=np.int64).reshape(256, 3), 255)


def overlay(frame: Pixels, labels: Pixels) -> Pixels:
    """A frame (H, W, 3) with the objects of its label map (H, W) tinted, and their contours drawn."""
    shown = np.where(labels == _VOID, 0, labels)
    tint = _OVERLAY_COLORS[shown]
    inside = (shown > 0)[..., None]
    mixed = np.where(inside, frame * (1 - _OPACITY) + tint * _OPACITY, frame)
    mixed = np.where(_contour(shown)[..., None], _OVERLAY_COLORS[np.maximum(shown, 1)] * 0.5 + 127, mixed)
    result: Pixels = mixed.round().astype(np.uint8)
    return result


def _contour(labels: Pixels) -> NDArray[np.bool_]:
    """Pixels of objects that have other labels within the contour's width."""
    width = max(1, round(labels.shape[0] * _CONTOUR_SHARE))
    padded = np.pad(labels, width, mode="edge")
    height, length = labels.shape
    moves = [(width, 0), (-width, 0), (0, width), (0, -width)]
    shifted = [padded[width + y : width + y + height, width + x : width + x + length] for y, x in moves]
    edge: NDArray[np.bool_] = np.any([other != labels for other in shifted], axis=0) & (labels > 0)
    return edge


def draw_joints(frame: Pixels, points: NDArray[np.floating]) -> Pixels:
    """A frame (H, W, 3) with a dot at each joint (2, K) in pixels; those that are NaN are left out."""
    image = Image.fromarray(frame)
    draw = ImageDraw.Draw(image)
    radius = max(2, round(frame.shape[0] * _JOINT_SHARE))
    for number, (x, y) in enumerate(points.T):
        if np.isfinite([x, y]).all():
            color = tuple(int(value) for value in _OVERLAY_COLORS[1 + number % 20])
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=color, outline="white")
    return np.asarray(image)


def side_by_side(panels: Mapping[str, Pixels]) -> Pixels:
    """Pictures (H, W, 3) of one height next to each other, each under its title; both sides are even."""
    columns = [_panel(title, pixels) for title, pixels in panels.items()]
    joined = np.concatenate(columns, axis=1)
    return joined[: joined.shape[0] // 2 * 2, : joined.shape[1] // 2 * 2]


def _panel(title: str, pixels: Pixels) -> Pixels:
    width = round(pixels.shape[1] * _PANEL_HEIGHT / pixels.shape[0])
    scaled = Image.fromarray(pixels).resize((width, _PANEL_HEIGHT), Image.Resampling.BICUBIC)
    return np.concatenate([text_band(title, width), np.asarray(scaled)])


def comparison_sheet(
    sequences: Sequence[tuple[str, Sequence[int], Mapping[str, Sequence[Pixels]]]], heading: str
) -> Image.Image:
    """Rows of the same frames: the truth, and below it what each encoder found.

    Args:
        sequences: Heading of a sequence, numbers of the frames, and pictures of these by row's title.
        heading: Text above everything.
    """
    rows = [
        ImageRow(list(pictures), f"{title}\n{name}", [f"frame {number}" for number in numbers])
        for name, numbers, by_title in sequences
        for title, pictures in by_title.items()
    ]
    return image_grid(rows, heading=heading, cell_height=132)


def note(text: str) -> Image.Image:
    """A line of text, in place of a picture that there is nothing for."""
    return Image.fromarray(text_band(text, 640))


def interval_bars(summary: pd.DataFrame, measures: Sequence[str], title: str) -> Image.Image:
    """A panel for each measure with a bar and an interval for each encoder.

    Args:
        summary: Columns ``measure``, ``encoder``, ``value``, ``low``, ``high``.
        measures: The measures to draw.
        title: Text above everything.

    Raises:
        InputError: There is nothing to draw.
    """
    shown = summary[summary["measure"].isin(measures)]
    if shown.empty:
        raise InputError(f"Bars of {', '.join(measures)} were asked for, but there are none.")
    encoders = list(dict.fromkeys(shown["encoder"]))
    width = max(1.2 + 0.95 * len(encoders), 3.2)
    figure = Figure(figsize=(width * len(measures), 4.2), layout="constrained", facecolor="white")
    for axes, measure in zip(np.atleast_1d(figure.subplots(1, len(measures))), measures, strict=True):
        _draw_bars(axes, shown[shown["measure"] == measure], measure)
    figure.suptitle(f"{title}\n", x=0.01, ha="left", color=INK, fontsize=12)
    return image_of(figure)


def _draw_bars(axes: Axes, rows: pd.DataFrame, measure: str) -> None:
    places = np.arange(len(rows))
    values = rows["value"].to_numpy(np.float64)
    below, above = values - rows["low"].to_numpy(np.float64), rows["high"].to_numpy(np.float64) - values
    colors = [COLORS[place % len(COLORS)] for place in places]
    axes.bar(places, values, color=colors, width=0.62)
    axes.errorbar(places, values, yerr=np.maximum([below, above], 0), fmt="none", ecolor=INK, capsize=4)
    for place, value, high in zip(places, values, rows["high"], strict=True):
        text: dict[str, Any] = {"ha": "center", "va": "bottom", "fontsize": 9.5, "color": INK}
        axes.annotate(f"{value:.1f}", (place, max(value, high)), (0, 3), textcoords="offset points", **text)
    axes.set_xticks(places, rows["encoder"], fontsize=9.5, color=SOFT_INK)
    axes.margins(y=0.12)
    plain_axes(axes, f"{measure} (%, 95 % interval)")
