"""Tracks of points, drawn on frames."""

import colorsys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from vidrep_pipelines.common.arrays import FloatArray, Pixels

_SCALE = 2  # drawn at twice the size, so that lines are smooth and thin
_TAIL = 8  # frames of a track that stay in sight
_DOT_SHARE = 1 / 70  # of the picture's height
_PALE = 110  # opacity of what is said to be hidden, of 255


@dataclass(frozen=True)
class DrawnTracks:
    """Tracks of Q points.

    Attributes:
        positions: (Q, T, 2) x and y as shares of width and height.
        visible: (Q, T): a dot where True, a ring where False.
        shown: (Q, T): what is drawn at all.
        colors: (Q, 3) 0 to 255.
    """

    positions: FloatArray
    visible: NDArray[np.bool_]
    shown: NDArray[np.bool_]
    colors: Pixels


def track_colors(positions: FloatArray) -> Pixels:
    """Colors (Q, 3) of points (Q, 2): the hue goes with the place across the picture, the lightness down it.

    Points that begin side by side have like colors, so that a track that has gone astray stands out.
    """
    if not len(positions):
        return np.zeros((0, 3), np.uint8)
    spread = np.maximum(np.ptp(positions, axis=0), 1e-6)
    places = (positions - positions.min(axis=0)) / spread
    colors = [colorsys.hls_to_rgb(0.85 * x, 0.45 + 0.2 * y, 0.95) for x, y in places.tolist()]
    return (255 * np.array(colors)).round().astype(np.uint8)


def draw_tracks(frame: Pixels, tracks: DrawnTracks, index: int) -> Pixels:
    """A frame (H, W, 3) with the points' positions in it, and the last few frames of their tracks.

    Args:
        frame: Frame ``index``.
        tracks: The tracks.
        index: Its number.
    """
    height, width = frame.shape[:2]
    size = (width * _SCALE, height * _SCALE)
    canvas = Image.fromarray(frame).resize(size, Image.Resampling.BICUBIC).convert("RGBA")
    layer = Image.new("RGBA", size)
    draw = ImageDraw.Draw(layer)
    radius = max(2.0, size[1] * _DOT_SHARE)
    for number in np.flatnonzero(tracks.shown[:, index]).tolist():
        color = tuple(tracks.colors[number].tolist())
        tail = [
            frame_number
            for frame_number in range(max(0, index - _TAIL), index + 1)
            if tracks.shown[number, frame_number]
        ]
        path = [tuple(point) for point in (tracks.positions[number, tail] * size).tolist()]
        sure = bool(tracks.visible[number, index])
        if len(path) > 1:
            draw.line(path, fill=(*color, 255 if sure else _PALE), width=max(1, round(radius / 2)))
        _mark(draw, path[-1], radius, color, sure)
    return np.asarray(Image.alpha_composite(canvas, layer).convert("RGB"))


def _mark(
    draw: ImageDraw.ImageDraw, at: Sequence[float], radius: float, color: tuple[int, ...], sure: bool
) -> None:
    x, y = at
    box = (x - radius, y - radius, x + radius, y + radius)
    if sure:
        draw.ellipse(box, fill=(*color, 255), outline="white")
    else:
        draw.ellipse(box, outline=(*color, _PALE), width=2)
