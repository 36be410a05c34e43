"""What keyframe intervals cost: a table and a picture of the measured encodings."""

from collections.abc import Sequence
from types import MappingProxyType
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator
from PIL import Image

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.reporting.figures import COLORS, INK, PALE, SOFT_INK, image_of, plain_axes

_COLUMNS = {
    "encoding": ("encoding", "{}"),
    "keyframe_interval": ("keyframe every", "{:d}"),
    "b_frames": ("B-frames", "{:d}"),
    "kilobytes": ("KB per clip", "{:,.0f}"),
    "relative_bytes": ("bytes", "{:.2f} x"),
    "psnr": ("PSNR dB", "{:.1f}"),
    "encode_seconds": ("encode s", "{:.2f}"),
    "sequential_ms": ("in order, ms per frame", "{:.2f}"),
    "decoded_frames": ("decoded by index", "{:.1f}"),
    "decord_ms": ("decord ms", "{:.1f}"),
    "pyav_ms": ("PyAV ms", "{:.1f}"),
    "index_ms": ("index ms", "{:.2f}"),
    "speedup": ("speed", "{:.1f} x"),
}
_READERS = {
    "decord_ms": ("decord", COLORS[3]),
    "pyav_ms": ("PyAV, seeking", COLORS[1]),
    "index_ms": ("packet index", COLORS[0]),
}
_NAME: MappingProxyType[str, Any] = MappingProxyType(
    {"textcoords": "offset points", "color": INK, "fontsize": 9}
)


def encoding_table(summary: pd.DataFrame) -> str:
    """The measured encodings as a Markdown table that is aligned, so that it also reads well in a log.

    Args:
        summary: One row per encoding, as ``measure_video_io`` makes it.
    """
    columns = []
    for name, (title, form) in _COLUMNS.items():
        cells = ["" if pd.isna(value) else form.format(value) for value in summary[name]]
        width = max(len(title), *map(len, cells))
        aligned = [cell.ljust(width) if name == "encoding" else cell.rjust(width) for cell in cells]
        rule = "-" * width if name == "encoding" else "-" * (width - 1) + ":"
        columns.append([title.ljust(width), rule, *aligned])
    return "\n".join(f"| {' | '.join(row)} |" for row in zip(*columns, strict=True))


def access_picture(summary: pd.DataFrame) -> Image.Image:
    """Draws the time of reading a random frame pair against bytes, and against the keyframe interval.

    Args:
        summary: One row per encoding, as ``measure_video_io`` makes it. Encodings that differ from each other
            in nothing but the keyframe interval are joined by a line at the right.

    Raises:
        InputError: There is no encoding.
    """
    if summary.empty:
        raise InputError("A picture of encodings was asked for, but none was measured.")
    figure = Figure(figsize=(13, 5.6), layout="constrained", facecolor="white")
    left, right = figure.subplots(1, 2, sharey=True)
    readers = [name for name in _READERS if summary[name].notna().any()]
    _draw_bytes(left, summary, readers)
    _draw_intervals(right, summary, readers)
    figure.suptitle(
        "Reading two frames at a random place: processor time, median\n",
        x=0.01,
        ha="left",
        color=INK,
        fontsize=13,
    )
    handles, labels = right.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower left", ncols=len(labels), frameon=False, fontsize=10)
    return image_of(figure)


def _draw_bytes(axes: Axes, summary: pd.DataFrame, readers: Sequence[str]) -> None:
    """A column of points per encoding, with its name beside the lowest."""
    sizes, times = summary["relative_bytes"], summary[list(readers)]
    axes.vlines(sizes, times.min(axis=1), times.max(axis=1), color=PALE, zorder=1)
    for reader in readers:
        axes.scatter(sizes, summary[reader], color=_READERS[reader][1], s=42, zorder=2)
    for size, lowest, name in zip(sizes, times.min(axis=1), summary["encoding"], strict=True):
        axes.annotate(name, (size, lowest), (7, 0), va="center", **_NAME)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 1.5, 2.0, 3.0, 4.0, 6.0)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g} x"))
    _use_plain_log(axes)
    axes.margins(x=0.1, y=0.12)
    reference = summary["encoding"].iloc[0]
    plain_axes(axes, "against bytes", f"bytes of a clip, relative to {reference}")
    axes.set_ylabel("milliseconds per pair", fontsize=9, color=SOFT_INK)


def _draw_intervals(axes: Axes, summary: pd.DataFrame, readers: Sequence[str]) -> None:
    """A line per reader through the family, hollow points for the others."""
    related = _is_family(summary)
    members, others = summary[related].sort_values("keyframe_interval"), summary[~related]
    for reader in readers:
        label, color = _READERS[reader]
        axes.plot(members["keyframe_interval"], members[reader], "o-", color=color, linewidth=2, label=label)
        axes.scatter(
            others["keyframe_interval"], others[reader], s=46, facecolors="white", edgecolors=color, zorder=3
        )
    places = zip(others["keyframe_interval"], others[list(readers)].max(axis=1), strict=True)
    for (interval, highest), name in zip(places, others["encoding"], strict=True):
        axes.annotate(f"{name} ({interval})", (interval, highest), (0, 8), ha="center", **_NAME)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(members["keyframe_interval"].tolist()))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    _use_plain_log(axes)
    axes.margins(x=0.08)
    title = "against the keyframe interval (lines: nothing else differs; circles: other settings)"
    plain_axes(axes, title, "frames from one keyframe to the next")


def _is_family(summary: pd.DataFrame) -> pd.Series:
    """Which encodings differ from one another in the keyframe interval only: the largest such group."""
    settings = summary["profile"] + " " + summary["b_frames"].astype(str)
    return settings == settings.value_counts().idxmax()


def _use_plain_log(axes: Axes) -> None:
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_locator(NullLocator())
