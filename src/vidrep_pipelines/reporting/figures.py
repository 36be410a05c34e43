"""The look that all charts share."""

import io

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

INK, SOFT_INK, PALE = "#1c2127", "#667080", "#dde2e8"
COLORS = ("#1f6feb", "#d1495b", "#2a9d6f", "#e08e1b", "#7a5cc4", "#3aa6b9", "#8a6d3b", "#c2569b")

_DOTS_PER_INCH = 110


def plain_axes(axes: Axes, title: str, x_label: str = "", title_color: str = INK) -> None:
    """Takes away what is not data: frame, ticks, strong grid."""
    axes.set_title(title, loc="left", fontsize=10.5, color=title_color)
    axes.set_xlabel(x_label, fontsize=9, color=SOFT_INK)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(PALE)
    axes.grid(axis="y", color=PALE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=SOFT_INK, labelsize=9, length=0)


def image_of(figure: Figure) -> Image.Image:
    """Renders a figure without pyplot, whose global state would keep every figure alive."""
    FigureCanvasAgg(figure)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=_DOTS_PER_INCH)
    buffer.seek(0)
    with Image.open(buffer) as image:
        return image.convert("RGB")


def notice(text: str) -> Image.Image:
    """A picture of one sentence, where a chart would be empty."""
    figure = Figure(figsize=(7.0, 1.2), facecolor="white")
    figure.text(0.5, 0.5, text, ha="center", va="center", color=INK, fontsize=11)
    return image_of(figure)
