"""What the label filter kept and dropped."""

from collections.abc import Mapping
from textwrap import fill
from typing import Any

from matplotlib.figure import Figure
from PIL import Image

from vidrep_pipelines.reporting.figures import COLORS, INK, image_of, plain_axes

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
