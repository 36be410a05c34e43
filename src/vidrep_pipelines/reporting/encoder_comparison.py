"""Every encoder by every evaluation, as pictures."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL.Image import Image

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.reporting.figures import COLORS, INK, PALE, SOFT_INK, image_of, plain_axes

_COLUMNS = 5
_VERDICT_COLORS = {"above": COLORS[2], "below": COLORS[1], "same": SOFT_INK, "": SOFT_INK}
_REFERENCE_COLOR = COLORS[0]


def comparison_chart(table: pd.DataFrame) -> Image:
    """A panel for each evaluation, a row for each contender: values with 95 % intervals.

    Colors say whether it is above or below the reference beyond the interval of their paired difference;
    floors have hollow marks, and the highest of them a line.

    Args:
        table: ``COMPARISON_COLUMNS`` of ``evaluation/encoder_comparison/table.py``, the reference first.

    Raises:
        InputError: There is nothing to draw.
    """
    evaluations, contenders = _names(table)
    height = 1.0 + 0.27 * len(contenders)
    figure, panels = _panels(len(evaluations), height)
    for number, (axes, evaluation) in enumerate(zip(panels, evaluations, strict=False)):
        rows = table[table["evaluation"] == evaluation]
        _draw_rows(axes, rows, contenders)
        labels = contenders if number % _COLUMNS == 0 else [""] * len(contenders)
        axes.set_yticks(range(len(contenders)), labels, color=INK)
        plain_axes(axes, f"{evaluation} ({int(rows['count'].max())})", "%")
    title = (
        f"Encoders by evaluations, 95 % intervals; green above, red below {contenders[0]} (paired); hollow: "
        "floors; line: the highest floor"
    )
    figure.suptitle(title, x=0.01, ha="left", color=INK, fontsize=12)
    return image_of(figure)


def pareto_chart(table: pd.DataFrame) -> Image:
    """A panel for each evaluation: value against milliseconds a frame, and the front that no other beats.

    Args:
        table: As for :func:`comparison_chart`.

    Raises:
        InputError: There is nothing to draw.
    """
    evaluations, _ = _names(table)
    figure, panels = _panels(len(evaluations), 3.6)
    for axes, evaluation in zip(panels, evaluations, strict=False):
        rows = table[(table["evaluation"] == evaluation) & table["milliseconds"].notna()]
        _draw_front(axes, rows.sort_values("milliseconds"))
        plain_axes(axes, f"{evaluation}, %", "milliseconds a frame")
    title = "What an encoder is worth, and what it costs; line: no other is both as fast and better"
    figure.suptitle(title, x=0.01, ha="left", color=INK, fontsize=12)
    return image_of(figure)


def _names(table: pd.DataFrame) -> tuple[list[str], list[str]]:
    if table.empty:
        raise InputError("A picture of encoders was asked for, but nothing was measured.")
    return list(dict.fromkeys(table["evaluation"])), list(dict.fromkeys(table["encoder"]))


def _panels(count: int, height: float) -> tuple[Figure, Sequence[Axes]]:
    columns = min(count, _COLUMNS)
    rows = -(-count // columns)
    figure = Figure(figsize=(1.2 + 3.3 * columns, height * rows), layout="constrained", facecolor="white")
    panels: list[Axes] = list(figure.subplots(rows, columns, squeeze=False).flat)
    for axes in panels[count:]:
        axes.set_axis_off()
    return figure, panels


def _draw_rows(axes: Axes, rows: pd.DataFrame, contenders: Sequence[str]) -> None:
    floors = rows.loc[rows["floor"], "value"]
    if len(floors):
        axes.axvline(float(floors.max()), color=PALE, linewidth=2)
    for row in rows.to_dict("records"):
        place = contenders.index(row["encoder"])
        color = _REFERENCE_COLOR if place == 0 else _VERDICT_COLORS[row["verdict"]]
        axes.plot([row["low"], row["high"]], [place, place], color=color, linewidth=1.6)
        face = "white" if row["floor"] else color
        axes.plot(row["value"], place, "o", color=color, markerfacecolor=face, markersize=5.5)
        axes.annotate(f"{row['value']:.1f}", (row["high"], place), (4, 0), textcoords="offset points",
                      va="center", fontsize=8, color=SOFT_INK)  # fmt: skip
    axes.set_ylim(len(contenders) - 0.5, -0.5)
    axes.margins(x=0.16)


def _draw_front(axes: Axes, rows: pd.DataFrame) -> None:
    front = rows[rows["on_front"]]
    axes.plot(front["milliseconds"], front["value"], color=COLORS[0], linewidth=1.2, drawstyle="steps-post")
    below, above = rows["value"] - rows["low"], rows["high"] - rows["value"]
    reach = np.maximum([below.to_numpy(np.float64), above.to_numpy(np.float64)], 0)
    axes.errorbar(
        rows["milliseconds"], rows["value"], reach, fmt="none", ecolor=PALE, elinewidth=1.2, zorder=1
    )
    for place, row in enumerate(rows.to_dict("records")):
        color = COLORS[0] if row["on_front"] else SOFT_INK
        face = "white" if row["floor"] else color
        axes.plot(row["milliseconds"], row["value"], "o", color=color, markerfacecolor=face, markersize=5.5)
        offset = (4, -12 if place % 2 else 4)  # neighbors in time may lie close together
        axes.annotate(row["encoder"], (row["milliseconds"], row["value"]), offset,
                      textcoords="offset points", fontsize=8, color=INK)  # fmt: skip
    axes.set_xscale("log")
    axes.margins(x=0.2, y=0.12)
