"""Pictures of clips: a sheet of some of them, and how many were kept and why others were dropped."""

from collections.abc import Callable, Hashable, Mapping
from pathlib import Path
from textwrap import fill
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from vidrep_pipelines.common.errors import InputError, VidrepError
from vidrep_pipelines.reporting.figures import COLORS, INK, image_of, plain_axes
from vidrep_pipelines.reporting.pictures import ImageRow, image_grid

_REASONS_SHOWN = 12
_KEPT_COLOR, _DROPPED_COLOR = COLORS[2], COLORS[1]


def filter_report_picture(report: Mapping[str, Any]) -> Image.Image:
    """Draws a bar for the kept clips and one for each reason of dropping, the rarest reasons together.

    Args:
        report: The label filter's report: ``listed``, ``kept``, and ``reasons`` with a count each.
    """
    bars = {"kept": int(report["kept"]), **_most_frequent(report["reasons"])}
    names = [fill(_shortened(name), 44) for name in bars]
    height = 1.1 + 0.3 * len(bars) + 0.17 * sum(name.count("\n") for name in names)
    figure = Figure(figsize=(9, height), layout="constrained", facecolor="white")
    axes = figure.add_subplot()
    colors = [_KEPT_COLOR] + [_DROPPED_COLOR] * (len(bars) - 1)
    drawn = axes.barh(range(len(bars)), list(bars.values()), color=colors, height=0.62)
    axes.bar_label(
        drawn, labels=[f"{count:,}" for count in bars.values()], padding=4, color=INK, fontsize=9.5
    )
    axes.set_yticks(range(len(bars)), names, fontsize=9.5)
    axes.invert_yaxis()
    axes.margins(x=0.12)
    plain_axes(axes, f"label filter: {report['kept']:,} of {report['listed']:,} clips kept, by reason")
    axes.grid(visible=False)
    axes.set_xticks([])
    axes.spines["bottom"].set_visible(False)
    return image_of(figure)


def _most_frequent(reasons: Mapping[str, int]) -> dict[str, int]:
    """The reasons by falling count; what is beyond the limit is added up."""
    ordered = sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
    shown = dict(ordered[:_REASONS_SHOWN])
    others = ordered[_REASONS_SHOWN:]
    return shown | ({f"{len(others)} other reasons": sum(count for _, count in others)} if others else {})


def _shortened(name: str, length: int = 120) -> str:
    return name if len(name) <= length else name[: length - 1] + "…"


ReadRanks = Callable[[Path, NDArray[np.int64]], NDArray[np.uint8]]
"""Reads (N, H, W, 3) uint8 frames at (N,) ranks of a video."""


def contact_sheet(
    clips: pd.DataFrame,
    folder: Path,
    read: ReadRanks,
    *,
    rows: int = 12,
    frames_per_clip: int = 6,
    cell_height: int = 112,
    heading: str = "",
) -> Image.Image:
    """Draws a row of frames for each of a few clips, of as many classes as possible.

    Only the frames that are shown are read. A clip that cannot be read is named and left empty.

    Args:
        clips: One row per clip: ``id``, ``path`` (relative to ``folder``), ``frames``, and ``class_name`` and
            ``frames_per_second`` if known.
        folder: Where the clips are.
        read: Reads frames.
        rows: Number of clips shown, at most.
        frames_per_clip: Evenly spaced frames per clip, at most.
        cell_height: Height of every frame in the picture, in pixels.
        heading: Text above everything; by default the numbers of clips and classes.

    Raises:
        InputError: There is no clip, or none of the chosen ones can be read.
    """
    if clips.empty:
        raise InputError("A contact sheet was asked for, but there is no clip to show.")
    shown = representative_clips(clips, rows)
    pictures = [_row(clip, folder, read, frames_per_clip) for clip in shown.to_dict("records")]
    if not any(row.images for row in pictures):
        raise InputError(f"None of {len(pictures)} clips under {folder} can be shown: {pictures[0].label}")
    return image_grid(pictures, heading=heading or _summary(clips), cell_height=cell_height)


def representative_clips(clips: pd.DataFrame, count: int) -> pd.DataFrame:
    """Up to ``count`` clips: the first one of every class in turn, then the second ones, and so on."""
    if "class_name" not in clips:
        return clips.head(count)
    turn = clips.groupby("class_name", sort=True, dropna=False).cumcount()
    order = clips.assign(_turn=turn).sort_values(["_turn", "class_name"], kind="stable").index[:count]
    return clips.loc[order].sort_values("class_name", kind="stable")


def _row(clip: Mapping[Hashable, Any], folder: Path, read: ReadRanks, count: int) -> ImageRow:
    total = int(clip["frames"])
    ranks = np.unique(np.linspace(0, max(total - 1, 0), count).round().astype(np.int64))
    name = clip.get("class_name") or clip["id"]
    rate = float(clip.get("frames_per_second") or 0)
    try:
        images = list(read(folder / clip["path"], ranks))
    except (VidrepError, OSError, IndexError) as error:
        return ImageRow([], f"{name}\n{clip['id']}\nnot readable: {error}")
    length = f"{total} frames, {total / rate:.1f} s" if rate else f"{total} frames"
    return ImageRow(images, f"{name}\n{clip['id']}\n{length}", [str(rank) for rank in ranks])


def _summary(clips: pd.DataFrame) -> str:
    classes = f" of {clips['class_name'].nunique()} classes" if "class_name" in clips else ""
    return f"{len(clips)} clips{classes}, {int(clips['frames'].sum())} frames"
