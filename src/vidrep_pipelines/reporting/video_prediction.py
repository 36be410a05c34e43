"""Predicted videos beside what happened, and charts of how good they are."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from PIL import Image

from vidrep_pipelines.common.arrays import Pixels
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.reporting.figures import COLORS, INK, SOFT_INK, image_of, notice, plain_axes
from vidrep_pipelines.reporting.pictures import ImageRow, image_grid, text_band

_STYLES: dict[str, tuple[str, str, str]] = {
    "model": ("model", COLORS[0], "-"),
    "without_text": ("model without text", COLORS[3], "-"),
    "first_frame": ("first frame, copied", SOFT_INK, "--"),
    "codec": ("truth through the codec", COLORS[2], ":"),
}
"""Name, color and line of each predictor."""

_METRICS = {
    "psnr": "PSNR, dB (higher is better)",
    "ssim": "SSIM (higher is better)",
    "lpips": "LPIPS (lower is better)",
}
_MEASURES = {
    "nearest_last": "nearest truth is its own (last frame)",
    "nearest_all": "nearest truth is its own (all frames)",
    "right_object": "named object moves (nearest truths)",
    "right_object_change": "named object changes most",
    "named_object_moves": "named object has moved",
    "other_object_moves": "another object has moved",
    "moves_when_other_is_named": "moves when told to move another",
}
_MOST_COLUMNS, _CELL = 8, 112
_FILM_SIDE, _FILM_GAP, _TEXT_LINES = 256, 4, 3


def video_metric_text(summary: pd.DataFrame) -> str:
    """The summary as text: a row per data set and metric, a column per predictor, intervals in brackets.

    Args:
        summary: Columns robot, predictor, metric, value, low, high.
    """
    return _wide_text(summary, ["robot", "metric"])


def counterfactual_text(summary: pd.DataFrame) -> str:
    """The shares of the counterfactual test likewise, with chance in the index."""
    return _wide_text(summary, ["combination", "measure", "chance"])


def _wide_text(table: pd.DataFrame, index: list[str]) -> str:
    cells = [
        f"{value:.3g}" if np.isnan(low) else f"{value:.3g} [{low:.3g}, {high:.3g}]"
        for value, low, high in table[["value", "low", "high"]].itertuples(index=False)
    ]
    if not cells:
        return "(nothing was measured)"
    wide = table.assign(cell=cells).pivot_table(
        index=index, columns="predictor", values="cell", aggfunc="first", sort=False, dropna=False
    )
    return wide.dropna(how="all").fillna("").to_string()


def horizon_chart(horizons: pd.DataFrame) -> Image.Image:
    """Draws every metric over the frames that are predicted, with intervals; a row of panels per data set.

    Args:
        horizons: Columns robot, predictor, metric, horizon, value, low, high.
    """
    metrics = [name for name in _METRICS if (horizons["metric"] == name).any()]
    robots = list(dict.fromkeys(horizons["robot"]))
    size = (4.6 * len(metrics), 2.9 * len(robots) + 0.5)
    figure = Figure(figsize=size, layout="constrained", facecolor="white")
    for row, robot in enumerate(robots):
        for column, metric in enumerate(metrics):
            axes = figure.add_subplot(len(robots), len(metrics), row * len(metrics) + column + 1)
            own = horizons[(horizons["robot"] == robot) & (horizons["metric"] == metric)]
            _draw_lines(axes, own, "horizon")
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            plain_axes(axes, f"{_METRICS[metric]}\n{_name_of(robot)}", "frames after the first")
    return _with_legend(figure)


def noise_chart(losses: pd.DataFrame) -> Image.Image:
    """Draws the loss over the noise level, with and without text; a panel per data set.

    Args:
        losses: Columns robot, predictor, noise, value, low, high.
    """
    robots = list(dict.fromkeys(losses["robot"]))
    figure = Figure(figsize=(4.6 * len(robots), 3.6), layout="constrained", facecolor="white")
    for number, robot in enumerate(robots, 1):
        axes = figure.add_subplot(1, len(robots), number)
        _draw_lines(axes, losses[losses["robot"] == robot], "noise")
        axes.set_xscale("log")
        plain_axes(axes, f"Loss by noise level\n{_name_of(robot)}", "standard deviation of the noise")
    return _with_legend(figure)


def counterfactual_chart(summary: pd.DataFrame) -> Image.Image:
    """Draws the shares of the counterfactual test, a panel per kind of instruction, with chance as a tick.

    Args:
        summary: Columns combination, predictor, measure, value, low, high, chance.
    """
    kinds = list(dict.fromkeys(summary["combination"]))
    if not kinds:
        return notice("There are no tables of the sample world to test on.")
    figure = Figure(figsize=(3.0 + 3.4 * len(kinds), 4.6), layout="constrained", facecolor="white")
    first: Axes | None = None
    for number, kind in enumerate(kinds, 1):
        axes = figure.add_subplot(1, len(kinds), number, sharey=first)
        first = first or axes
        _draw_shares(axes, summary[summary["combination"] == kind])
        plain_axes(axes, "all instructions" if kind == "all" else f"combinations: {kind.replace('_', ' ')}")
        axes.set_xlim(-0.02, 1.02)
        axes.label_outer()
    return _with_legend(figure)


def _draw_shares(axes: Axes, rows: pd.DataFrame) -> None:
    names = [name for name in _MEASURES if (rows["measure"] == name).any()]
    places = np.arange(len(names))[::-1]
    for number, (predictor, (label, color, _)) in enumerate(_STYLES.items()):
        own = rows[rows["predictor"] == predictor].set_index("measure").reindex(names)
        heights = places + 0.27 - 0.18 * number
        axes.hlines(heights, own["low"], own["high"], color=color, linewidth=1.4, alpha=0.6)
        axes.scatter(own["value"], heights, s=26, color=color, label=label, zorder=3)
    chance = rows.drop_duplicates("measure").set_index("measure").reindex(names)["chance"]
    axes.vlines(chance, places - 0.38, places + 0.38, color=INK, linewidth=1, label="chance")
    axes.set_yticks(places, [_MEASURES[name] for name in names])


def _draw_lines(axes: Axes, rows: pd.DataFrame, x: str) -> None:
    for predictor, (label, color, line) in _STYLES.items():
        own = rows[rows["predictor"] == predictor].sort_values(x)
        if len(own):
            places = own[x].to_numpy(np.float64)
            axes.plot(places, own["value"], color=color, linestyle=line, marker=".", label=label)
            low, high = (own[name].to_numpy(np.float64) for name in ("low", "high"))
            axes.fill_between(places, low, high, color=color, alpha=0.15, linewidth=0)


def _name_of(robot: str) -> str:
    return "all data sets" if robot == "all" else robot


def _with_legend(figure: Figure) -> Image.Image:
    labelled = {
        label: handle
        for axes in figure.axes
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    figure.legend(
        labelled.values(),
        labelled.keys(),
        loc="outside lower left",
        ncols=len(labelled),
        frameon=False,
        fontsize=9,
        labelcolor=SOFT_INK,
    )
    return image_of(figure)


@dataclass(frozen=True, eq=False)
class ShownPrediction:
    """A prediction for people to look at.

    Attributes:
        truth: (F, H, W, 3) uint8 what happened.
        predicted: (F, H, W, 3) uint8 what was predicted.
        text: What the model was told.
        notes: Short lines beside it, such as the episode's name or a verdict.
    """

    truth: Pixels
    predicted: Pixels
    text: str
    notes: Sequence[str] = ()


def prediction_sheet(shown: Sequence[ShownPrediction], heading: str = "") -> Image.Image:
    """Draws a few frames of each truth above those of its prediction, the instruction beside them.

    Args:
        shown: The predictions; of the counterfactual test those of one table, which begin alike.
        heading: Text above everything.

    Raises:
        InputError: There is none.
    """
    if not shown:
        raise InputError("There is no prediction to draw.")
    rows: list[ImageRow] = []
    for one in shown:
        places = _moments(len(one.truth))
        rows.append(ImageRow(list(one.truth[places]), "\n".join([one.text, "what happened"])))
        rows.append(ImageRow(list(one.predicted[places]), "\n".join(["predicted", *one.notes])))
    titles = ["given", *(f"+{place}" for place in _moments(len(shown[0].truth))[1:])]
    return image_grid(rows, titles, heading, cell_height=_CELL)


def _moments(frames: int) -> list[int]:
    """Places of at most so many frames as fit, the first and the last among them."""
    places = np.linspace(0, frames - 1, min(frames, _MOST_COLUMNS)).round()
    return [int(place) for place in places]


def prediction_film(shown: ShownPrediction) -> Pixels:
    """A film (F, H', W', 3): what happened above, what was predicted below, and the instruction under it."""
    height, width = shown.truth.shape[1:3]
    scale = max(1, -(-_FILM_SIDE // max(height, width)))
    text = text_band(shown.text, width * scale, _TEXT_LINES)
    gap = np.full((_FILM_GAP, width * scale, 3), 255, np.uint8)
    frames = [
        np.concatenate([_enlarged(above, scale), gap, _enlarged(below, scale), text])
        for above, below in zip(shown.truth, shown.predicted, strict=True)
    ]
    return _with_even_sides(np.stack(frames))


def _enlarged(frame: Pixels, scale: int) -> Pixels:
    size = (frame.shape[1] * scale, frame.shape[0] * scale)
    return np.asarray(Image.fromarray(np.ascontiguousarray(frame)).resize(size, Image.Resampling.BICUBIC))


def _with_even_sides(film: Pixels) -> Pixels:
    height, width = film.shape[1] % 2, film.shape[2] % 2
    return np.pad(film, ((0, 0), (0, height), (0, width), (0, 0)), constant_values=255)
