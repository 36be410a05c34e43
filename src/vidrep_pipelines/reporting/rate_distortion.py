"""Quality against bits, of tokenizers and of what nobody trained: curves, use of codes, and how it looks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator
from PIL import Image

from vidrep_pipelines.common.arrays import Pixels
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.reporting.figures import COLORS, INK, SOFT_INK, image_of, plain_axes
from vidrep_pipelines.reporting.pictures import ImageRow, image_grid

_METRICS = {"psnr": "PSNR, dB", "ssim": "SSIM"}
_FLOOR_STYLES = ("-", "--", "-.", ":")


def rate_distortion_chart(summary: pd.DataFrame, floors: pd.DataFrame, runs: pd.DataFrame) -> Image.Image:
    """Draws PSNR and SSIM against bits per pixel, and the share of the codes that is used.

    Full points are codes of equal length, open ones what an entropy coder makes of them; bars are intervals
    over clips. Lines of plain codecs begin where they first keep to the bits.

    Args:
        summary: One row per rate, metric and contender; columns metric, contender, value, low, high,
            bits_per_pixel, entropy_bits_per_pixel.
        floors: One row per plain codec, clip and budget: contender, budget, bits_per_pixel, psnr, ssim.
        runs: One row per tokenizer: contender, rate, codebook_use.

    Raises:
        InputError: There is no tokenizer.
    """
    if runs.empty:
        raise InputError("There is no tokenizer to draw.")
    names = list(dict.fromkeys(runs["contender"]))
    figure = Figure(figsize=(15.5, 4.6), layout="constrained", facecolor="white")
    grid = figure.add_gridspec(1, 3, width_ratios=[1.25, 1.25, 0.9])
    for place, (metric, title) in enumerate(_METRICS.items()):
        axes = figure.add_subplot(grid[0, place])
        _draw_floors(axes, floors, metric)
        own = summary[(summary["metric"] == metric) & summary["contender"].isin(names)]
        for number, name in enumerate(names):
            _draw_tokenizer(axes, own[own["contender"] == name], name, COLORS[number % len(COLORS)])
        _use_bits(axes)
        plain_axes(axes, title, "bits per pixel (full: codes of equal length, open: entropy coded)")
    _draw_use(figure.add_subplot(grid[0, 2]), runs, names)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside lower center", ncols=len(labels), frameon=False, labelcolor=INK
    )
    return image_of(figure)


def _draw_floors(axes: Axes, floors: pd.DataFrame, metric: str) -> None:
    for number, (name, own) in enumerate(floors.groupby("contender", sort=False)):
        kept = own.groupby("budget")[["bits_per_pixel", metric]].mean().reset_index()
        kept = kept[kept["bits_per_pixel"] <= kept["budget"] * (1 + 1e-9)]
        style = _FLOOR_STYLES[number % len(_FLOOR_STYLES)]
        axes.plot(
            kept["budget"],
            kept[metric],
            color=SOFT_INK,
            linestyle=style,
            linewidth=1.4,
            label=f"{name} (floor)",
        )


def _draw_tokenizer(axes: Axes, rows: pd.DataFrame, name: str, color: str) -> None:
    rows = rows.sort_values("bits_per_pixel")
    values = rows["value"].to_numpy(np.float64)
    reach = np.abs(rows[["low", "high"]].to_numpy(np.float64).T - values)
    axes.errorbar(
        rows["bits_per_pixel"], values, reach, color=color, linewidth=2, marker="o", markersize=6,
        elinewidth=1.2, capsize=3, label=name,
    )  # fmt: skip
    axes.scatter(rows["entropy_bits_per_pixel"], values, s=36, facecolors="white", edgecolors=color, zorder=3)


def _use_bits(axes: Axes) -> None:
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_locator(NullLocator())


def _draw_use(axes: Axes, runs: pd.DataFrame, names: Sequence[str]) -> None:
    rates = list(dict.fromkeys(runs["rate"]))
    width = 0.8 / len(names)
    for number, name in enumerate(names):
        own = runs[runs["contender"] == name]
        places = np.arange(len(rates)) + (number - (len(names) - 1) / 2) * width
        means = [100 * float(own.loc[own["rate"] == rate, "codebook_use"].mean()) for rate in rates]
        color = COLORS[number % len(COLORS)]
        axes.bar(places, means, width * 0.9, color=color, alpha=0.85)
        for place, mean in zip(places, means, strict=True):
            axes.annotate(f"{mean:.0f}", (place, mean), ha="center", va="bottom", fontsize=8, color=INK)
    axes.set_xticks(range(len(rates)), [rate.replace("_", " ") for rate in rates])
    plain_axes(axes, "codes in use on held-out clips, %")


@dataclass(frozen=True)
class CodedPicture:
    """A picture as a codec gives it back: (H, W, 3) uint8, and what it took."""

    pixels: Pixels
    bits_per_pixel: float


def codec_grid(
    original: Pixels, rebuilt: Mapping[str, Mapping[str, CodedPicture]], cell_height: int = 128
) -> Image.Image:
    """Draws one frame as every contender gives it back, a row per rate; white where one is missing.

    Args:
        original: (H, W, 3) uint8.
        rebuilt: By rate in words, then by contender.
        cell_height: Height of each frame in the picture, in pixels.
    """
    columns = list(dict.fromkeys(name for row in rebuilt.values() for name in row))
    nothing = CodedPicture(np.full_like(original, 255), 0.0)
    rows = [
        ImageRow(
            [original, *(row.get(name, nothing).pixels for name in columns)],
            rate,
            ["", *(_caption(original, row[name]) if name in row else "" for name in columns)],
        )
        for rate, row in rebuilt.items()
    ]
    return image_grid(rows, titles=["original", *columns], cell_height=cell_height)


def _caption(original: Pixels, coded: CodedPicture) -> str:
    return f"{_decibels(original, coded.pixels):.1f} dB, {coded.bits_per_pixel:.2g} bits"


def _decibels(first: Pixels, second: Pixels) -> float:
    error = np.square(first.astype(np.float64) - second).mean() / 255**2
    return float(-10 * np.log10(max(error, 1e-10)))


def stacked(pictures: Sequence[Image.Image]) -> Image.Image:
    """Pictures below one another, on white."""
    width = max(picture.width for picture in pictures)
    joined = Image.new("RGB", (width, sum(picture.height for picture in pictures)), "white")
    top = 0
    for picture in pictures:
        joined.paste(picture, ((width - picture.width) // 2, top))
        top += picture.height
    return joined
