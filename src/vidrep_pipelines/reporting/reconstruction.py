"""Charts and tables of the quality of reconstructions."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator
from PIL.Image import Image

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.reporting.figures import COLORS, INK, SOFT_INK, image_of, plain_axes

METRICS = {
    "psnr": "PSNR, dB (higher is better)",
    "ssim": "SSIM (higher is better)",
    "lpips": "LPIPS (lower is better)",
    "fvd": "Frechet video distance (lower is better)",
    "fid": "Frechet distance of frames (lower is better)",
}


def metric_table(summary: pd.DataFrame) -> str:
    """The summary as text: a row per group, a column per metric, intervals in brackets.

    Args:
        summary: Columns pixels, robot, metric, value, low, high, videos.
    """
    cells = summary.assign(
        cell=[_cell(*row) for row in summary[["value", "low", "high"]].itertuples(index=False)]
    )
    table = cells.pivot_table(
        index=["pixels", "robot", "videos"], columns="metric", values="cell", aggfunc="first", sort=False
    )
    return table[[name for name in METRICS if name in table]].reset_index().to_string(index=False)


def _cell(value: float, low: float, high: float) -> str:
    return f"{value:.4g}" if np.isnan(low) else f"{value:.4g} [{low:.4g}, {high:.4g}]"


def robot_chart(summary: pd.DataFrame) -> Image:
    """Draws every metric per robot, with its interval; the line is the value over all clips.

    Args:
        summary: Rows of one pixel range; columns robot, metric, value, low, high.
    """
    names = [name for name in METRICS if (summary["metric"] == name).any()]
    figure = Figure(figsize=(4.2 * len(names), 3.4), layout="constrained", facecolor="white")
    for number, name in enumerate(names):
        rows = summary[summary["metric"] == name]
        axes = figure.add_subplot(1, len(names), number + 1)
        _bars(axes, rows[rows["robot"] != "all"], COLORS[number % len(COLORS)])
        axes.axhline(float(rows.loc[rows["robot"] == "all", "value"].iloc[0]), color=INK, linewidth=1)
        plain_axes(axes, METRICS[name])
    return image_of(figure)


def _bars(axes: Axes, rows: pd.DataFrame, color: str) -> None:
    positions, values = np.arange(len(rows)), rows["value"].to_numpy(np.float64)
    axes.bar(positions, values, width=0.65, color=color, alpha=0.85)
    reach = np.abs(rows[["low", "high"]].to_numpy(np.float64).T - values)
    known = np.isfinite(reach).all(0)
    axes.errorbar(positions[known], values[known], reach[:, known], fmt="none", ecolor=INK, elinewidth=1)
    axes.set_xticks(positions, rows["robot"], rotation=30, ha="right")


def rate_distortion(runs: pd.DataFrame, metrics: Sequence[str] = ("psnr", "lpips", "fvd")) -> Image:
    """Draws quality against bits per frame, a point per run.

    The open point of a run is where an ideal entropy coder of its codes would put it.

    Args:
        runs: Columns run, label, bits_per_frame, entropy_bits_per_frame, and the metrics.
        metrics: What is drawn, where runs have it.

    Raises:
        InputError: No run has any of the metrics.
    """
    names = [name for name in metrics if name in runs and runs[name].notna().any()]
    if not names:
        raise InputError(f"There is no run with one of {list(metrics)} to draw.")
    figure = Figure(figsize=(5.2 * len(names), 3.9), layout="constrained", facecolor="white")
    limits = _bits_to_show(runs[["entropy_bits_per_frame", "bits_per_frame"]])
    for number, name in enumerate(names):
        axes = figure.add_subplot(1, len(names), number + 1)
        for place, row in enumerate(runs[runs[name].notna()].to_dict("records")):
            color, value = COLORS[place % len(COLORS)], row[name]
            rates = [row["entropy_bits_per_frame"], row["bits_per_frame"]]
            axes.plot(rates, [value, value], color=color, linewidth=1, alpha=0.5)
            axes.scatter(rates[:1], [value], s=34, facecolors="white", edgecolors=color, zorder=3)
            axes.scatter(rates[1:], [value], s=40, color=color, zorder=3, label=row["label"])
        axes.set_xscale("log", base=2)
        axes.xaxis.set_major_locator(LogLocator(2, subs=(1.0, 1.5)))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.set_xlim(*limits)
        axes.margins(y=0.2)
        plain_axes(axes, METRICS[name], "bits per frame (open: entropy of the codes)")
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower left", frameon=False, fontsize=9, labelcolor=SOFT_INK)
    return image_of(figure)


def _bits_to_show(rates: pd.DataFrame) -> tuple[float, float]:
    """Both ends of an axis around all rates: at least two octaves, for runs of one rate to have ticks."""
    bits = rates.to_numpy(np.float64)
    low, high = float(bits.min()), float(bits.max())
    middle, reach = float(np.sqrt(low * high)), max(2.0, 1.25 * float(np.sqrt(high / low)))
    return middle / reach, middle * reach


def variant_chart(variants: pd.DataFrame) -> Image:
    """Draws configurations below one another: each metric with its interval, and the share of codes in use.

    Args:
        variants: Columns label, codebook_use, bits_per_frame, and the metrics; of each its ``_low`` and
            ``_high``, if there is an interval.

    Raises:
        InputError: No configuration has any of the metrics.
    """
    names = [name for name in METRICS if name in variants and variants[name].notna().any()]
    if not names:
        raise InputError(f"There is no configuration with one of {list(METRICS)} to draw.")
    shown = variants.assign(use=100 * variants["codebook_use"])
    titles = {name: METRICS[name] for name in names} | {"use": "codes in use, %"}
    figure = Figure(
        figsize=(3.4 + 3.3 * len(titles), 1.3 + 0.55 * len(shown)), layout="constrained", facecolor="white"
    )
    places = np.arange(len(shown))[::-1]
    for number, (name, title) in enumerate(titles.items()):
        axes = figure.add_subplot(1, len(titles), number + 1)
        values = shown[name].to_numpy(np.float64)
        for place, value, color in zip(places, values, _colors(len(shown)), strict=True):
            axes.scatter([value], [place], s=48, color=color, zorder=3)
            axes.annotate(f"{value:.4g}", (value, place), (0, 8), textcoords="offset points", ha="center",
                          fontsize=8.5, color=INK)  # fmt: skip
        if f"{name}_low" in shown:
            ends = shown[[f"{name}_low", f"{name}_high"]].to_numpy(np.float64)
            axes.hlines(places, ends[:, 0], ends[:, 1], color=SOFT_INK, linewidth=1.2)
        axes.set_yticks(places, shown["label"] if number == 0 else [""] * len(shown))
        axes.set_ylim(-0.6, len(shown) - 0.2)
        axes.margins(x=0.2)
        plain_axes(axes, title)
    bits = ", ".join(f"{value:g}" for value in dict.fromkeys(shown["bits_per_frame"]))
    figure.supxlabel(f"all with {bits} bits per frame", fontsize=9, color=SOFT_INK)
    return image_of(figure)


def _colors(count: int) -> list[str]:
    return [COLORS[number % len(COLORS)] for number in range(count)]
