"""How a picture becomes one of the stored size: the published rules by their names, and what keeps its shape.

What a picture covers and how its pixels are computed are two questions. ``squash`` fits the whole picture
into the new size whatever its shape, as all published rules do: objects then have other proportions in every
data set, and a model that is trained on several of them sees one cup in three shapes. ``crop`` and ``pad``
keep the shape, at the price of the borders or of black bars.
"""

from typing import NamedTuple

import numpy as np

from vidrep_pipelines.common.arrays import Pixels
from vidrep_pipelines.data.area_resize import resize_frame
from vidrep_pipelines.data.frame_store.config import FramesConfig

_LETTERBOX = 0.75
"""Height of a letterboxed picture, as a share of its width."""


class Canvas(NamedTuple):
    """What the new picture shows, in pixels of the old one; black where it goes beyond its edges."""

    top: int
    left: int
    height: int
    width: int


def canvas_of(height: int, width: int, config: FramesConfig) -> Canvas:
    """What is shown of a picture of this size."""
    if config.resize == "letterbox":
        shown = (max(height, int(_LETTERBOX * width)), width)
    elif config.aspect == "squash":
        shown = (height, width)
    else:
        ratios = (height / config.height, width / config.width)
        scale = min(ratios) if config.aspect == "crop" else max(ratios)
        shown = (max(1, round(config.height * scale)), max(1, round(config.width * scale)))
    return Canvas((height - shown[0]) // 2, (width - shown[1]) // 2, *shown)


def resized_picture(picture: Pixels, config: FramesConfig) -> Pixels:
    """A picture at the stored size.

    ``area`` averages what a new pixel covers, or enlarges bicubically. ``antialiased`` is what
    ``torchvision.transforms.Resize(antialias=True)`` makes of uint8 pictures, CALVIN's rule in Video
    Prediction Policy. ``letterbox`` is that system's rule for raw recordings: black bars above and below, up
    to three quarters of the width, then bilinear interpolation of values in -1..1 without antialiasing.

    Args:
        picture: (h, w, 3) uint8.
        config: Size and rule.

    Returns:
        (H, W, 3) uint8.
    """
    shown = _on_canvas(picture, canvas_of(*picture.shape[:2], config))
    if config.resize == "area":
        return resize_frame(shown, config.height, config.width)
    return _bilinear(shown, config)


def resized_mask(mask: Pixels, config: FramesConfig) -> Pixels:
    """(H, W) with the number at the middle of what each new pixel covers: numbers have no mean.

    Args:
        mask: (h, w) uint8 of what is where; beyond the picture is the background, 0.
        config: Size and rule of the pictures that it belongs to.
    """
    shown = _on_canvas(mask, canvas_of(*mask.shape, config))
    rows, columns = (
        (2 * np.arange(target) + 1) * source // (2 * target)
        for source, target in zip(shown.shape, (config.height, config.width), strict=True)
    )
    return shown[np.ix_(rows, columns)]


def _on_canvas(picture: Pixels, canvas: Canvas) -> Pixels:
    height, width = picture.shape[:2]
    if canvas == (0, 0, height, width):
        return picture
    top, left = max(canvas.top, 0), max(canvas.left, 0)
    inside = picture[top : canvas.top + canvas.height, left : canvas.left + canvas.width]
    result = np.zeros((canvas.height, canvas.width, *picture.shape[2:]), np.uint8)
    above, before = max(-canvas.top, 0), max(-canvas.left, 0)
    result[above : above + inside.shape[0], before : before + inside.shape[1]] = inside
    return result


def _bilinear(picture: Pixels, config: FramesConfig) -> Pixels:
    import torch  # noqa: PLC0415 (seconds per worker process, and the usual rule needs none of it)
    from torch.nn import functional  # noqa: PLC0415

    pixels = torch.tensor(picture).permute(2, 0, 1)[None].float()
    size = (config.height, config.width)
    if config.resize == "antialiased":
        resized = functional.interpolate(pixels, size, mode="bilinear", align_corners=False, antialias=True)
    else:
        unit = functional.interpolate(pixels / 255 * 2 - 1, size, mode="bilinear", align_corners=False)
        resized = (unit + 1) / 2 * 255
    levels = resized[0].round().clamp(0, 255).to(torch.uint8).permute(1, 2, 0)
    result: Pixels = levels.contiguous().numpy()
    return result
