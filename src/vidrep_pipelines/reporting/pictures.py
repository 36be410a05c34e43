"""Pictures for people: rows of labelled images."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from vidrep_pipelines.common.arrays import Pixels
from vidrep_pipelines.common.errors import ConfigurationError

_INK, _SOFT_INK, _PAPER = "#1c2127", "#667080", "#ffffff"
_MARGIN, _GAP = 16, 6
_LABEL_WIDTH = 190
_HEADING_SIZE, _TITLE_SIZE, _LABEL_SIZE, _CAPTION_SIZE = 22, 15, 15, 13
_LINE_SPACING = 1.3


@dataclass(frozen=True)
class ImageRow:
    """One row of a grid.

    Attributes:
        images: RGB images, (H, W, 3) uint8 each; they need not be of one size.
        label: Text at the left; its first line stands out, however often it is wrapped.
        captions: Texts under the images, in their order.
    """

    images: Sequence[Pixels]
    label: str = ""
    captions: Sequence[str] = ()


def image_grid(
    rows: Sequence[ImageRow], titles: Sequence[str] = (), heading: str = "", cell_height: int = 144
) -> Image.Image:
    """Draws rows of images, all scaled to the same height, with columns aligned.

    Args:
        rows: The rows from top to bottom; they may differ in length.
        titles: Texts above the columns.
        heading: Text above everything.
        cell_height: Height of every image in the picture, in pixels.

    Raises:
        ConfigurationError: There is no image, or one is not (H, W, 3) uint8.
    """
    if not any(row.images for row in rows):
        raise ConfigurationError("A picture was asked for without a single image to show.")
    scaled = [[_scaled(image, cell_height) for image in row.images] for row in rows]
    widths = _column_widths(scaled)
    left = _MARGIN + (_LABEL_WIDTH if any(row.label for row in rows) else 0)
    lefts = list(accumulate((width + _GAP for width in widths), initial=left))
    title_lines = [_wrapped(title, _TITLE_SIZE, width) for title, width in zip(titles, widths, strict=False)]
    row_heights = [_row_height(row, widths, cell_height) for row in rows]
    top = _MARGIN + (_line_height(_HEADING_SIZE) + _GAP if heading else 0)
    first_row = top + max(map(len, title_lines), default=0) * _line_height(_TITLE_SIZE) + _GAP
    tops = list(accumulate(row_heights, initial=first_row))

    width = max(lefts[-1] - _GAP, _MARGIN + _text_width(heading, _HEADING_SIZE)) + _MARGIN
    canvas = Image.new("RGB", (width, tops[-1] - _GAP + _MARGIN), _PAPER)
    draw = ImageDraw.Draw(canvas)
    _write(draw, (_MARGIN, _MARGIN), [heading], _HEADING_SIZE, _INK)
    for x, lines in zip(lefts, title_lines, strict=False):
        _write(draw, (x, top), lines, _TITLE_SIZE, _INK)
    for row, images, y in zip(rows, scaled, tops, strict=False):
        _draw_row(canvas, row, images, y, list(zip(lefts, widths, strict=False)))
    return canvas


def _draw_row(
    canvas: Image.Image, row: ImageRow, images: list[Image.Image], top: int, columns: list[tuple[int, int]]
) -> None:
    draw = ImageDraw.Draw(canvas)
    first, others = _label_lines(row.label)
    _write(draw, (_MARGIN, top), first, _LABEL_SIZE, _INK)
    below = top + len(first) * _line_height(_LABEL_SIZE)
    _write(draw, (_MARGIN, below), others, _CAPTION_SIZE, _SOFT_INK)
    for image, (left, _) in zip(images, columns, strict=False):
        canvas.paste(image, (left, top))
    for caption, (left, width) in zip(row.captions, columns, strict=False):
        lines = _wrapped(caption, _CAPTION_SIZE, width)
        _write(draw, (left, top + images[0].height + 2), lines, _CAPTION_SIZE, _SOFT_INK)


def _scaled(pixels: Pixels, height: int) -> Image.Image:
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8:
        raise ConfigurationError(
            f"A picture is made of (H, W, 3) uint8 images, not of {pixels.shape} {pixels.dtype}."
        )
    width = max(1, round(pixels.shape[1] * height / pixels.shape[0]))
    return Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC)


def _column_widths(rows: list[list[Image.Image]]) -> list[int]:
    count = max(map(len, rows))
    return [max(row[column].width for row in rows if column < len(row)) for column in range(count)]


def _row_height(row: ImageRow, widths: list[int], cell_height: int) -> int:
    """Height of a row with the space below it: of images and captions, or of the label if that is taller."""
    captions = [
        _wrapped(text, _CAPTION_SIZE, width) for text, width in zip(row.captions, widths, strict=False)
    ]
    below = max(map(len, captions), default=0) * _line_height(_CAPTION_SIZE)
    first, others = _label_lines(row.label)
    label = len(first) * _line_height(_LABEL_SIZE) + len(others) * _line_height(_CAPTION_SIZE)
    return max(cell_height + below, label) + 2 * _GAP


def _label_lines(label: str) -> tuple[list[str], list[str]]:
    """The first line of the label, wrapped, and the others."""
    first, *others = label.split("\n")
    width = _LABEL_WIDTH - _GAP
    wrapped = [line for text in others for line in _wrapped(text, _CAPTION_SIZE, width)]
    return _wrapped(first, _LABEL_SIZE, width), wrapped


def _wrapped(text: str, size: int, width: int) -> list[str]:
    """Breaks a text into lines of at most ``width`` pixels: between words, and inside longer words."""
    lines = [""]
    for word in text.split():
        candidate = f"{lines[-1]} {word}".strip()
        if _text_width(candidate, size) <= width:
            lines[-1] = candidate
            continue
        if lines[-1]:
            lines.append("")
        for letter in word:
            if lines[-1] and _text_width(lines[-1] + letter, size) > width:
                lines.append("")
            lines[-1] += letter
    return lines


def _write(draw: ImageDraw.ImageDraw, origin: tuple[int, int], lines: list[str], size: int, ink: str) -> None:
    for number, line in enumerate(lines):
        position = (origin[0], origin[1] + number * _line_height(size))
        draw.text(position, line, fill=ink, font=_font(size))


def _text_width(text: str, size: int) -> int:
    return round(_font(size).getlength(text))


def _line_height(size: int) -> int:
    return round(size * _LINE_SPACING)


@cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size=size)


def measured_on(picture: Image.Image, words: str) -> Image.Image:
    """The picture with a band below it that says on what was measured, so that it can stand alone.

    Args:
        picture: A chart.
        words: The data, in words.
    """
    text = f"measured on: {words}"
    lines = len(_wrapped(text, _TITLE_SIZE, picture.width - _GAP))
    band = Image.fromarray(text_band(text, picture.width, lines))
    joined = Image.new("RGB", (picture.width, picture.height + band.height), _PAPER)
    joined.paste(picture, (0, 0))
    joined.paste(band, (0, picture.height))
    return joined


def text_band(text: str, width: int, lines: int = 1) -> Pixels:
    """A band of paper (h, width, 3) with a text, to be put above or below a picture; as high for every text.

    Args:
        text: The text; what does not fit is left out.
        width: Width of the band in pixels.
        lines: How many lines of text there is room for.
    """
    height = lines * _line_height(_TITLE_SIZE) + _GAP
    band = Image.new("RGB", (width, height), _PAPER)
    shown = _wrapped(text, _TITLE_SIZE, width - _GAP)[:lines]
    _write(ImageDraw.Draw(band), (_GAP // 2, _GAP // 2), shown, _TITLE_SIZE, _INK)
    return np.asarray(band)
