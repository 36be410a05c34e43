"""Two videos side by side in time: each frame of one with its match in the other."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from vidrep_pipelines.common.arrays import Pixels, Ranks
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.reporting.figures import COLORS, INK, SOFT_INK
from vidrep_pipelines.reporting.pictures import ImageRow, image_grid

ReadFrame = Callable[[int], Pixels]
"""Reads one frame (H, W, 3) of a video by its number."""

_PAPER = "#ffffff"
_LINE, _TIMELINE, _GAP, _TEXT_SIZE = 19, 34, 6, 14
_BAND = 2 * _LINE + 2


@dataclass(frozen=True)
class Shown:
    """A video to be shown.

    Attributes:
        name: The video's caption.
        read: Reads a frame by number.
        phases: (T,) phase of every frame; negative where there is none.
    """

    name: str
    read: ReadFrame
    phases: NDArray[np.integer]

    def __len__(self) -> int:
        return len(self.phases)


def alignment_frames(
    query: Shown, key: Shown, matches: Mapping[str, Ranks], height: int = 224, stride: int = 1
) -> Iterator[Image.Image]:
    """Draws the frames of a film: the query plays on the left, its matches beside it.

    Below each video its phases are shown as a colored line with the place of the frame. A match has a green
    border if both frames are of the same phase, a red one if not.

    Args:
        query: The video that plays evenly.
        key: The video whose frames are looked up.
        matches: The key's frame for every frame of the query, (T,), by title.
        height: Height of the videos in the picture in pixels.
        stride: Every how many query frames are shown.

    Raises:
        InputError: There is not one match per query frame, or a match is not a frame of the key.
    """
    _check(query, key, matches)
    for rank in range(0, len(query), stride):
        panels = [_panel("query", query, rank, query.read(rank), str(rank), height)]
        for title, match in matches.items():
            other = int(match[rank])
            same = same_phase(query, rank, key, other)
            verdict = {True: "  same phase", False: "  other phase", None: ""}[same]
            frame = framed(key.read(other), same)
            panels.append(_panel(title, key, other, frame, f"{other}{verdict}", height))
        yield _side_by_side(panels)


def alignment_strip(
    query: Shown, key: Shown, matches: Mapping[str, Ranks], columns: int = 8, heading: str = ""
) -> Image.Image:
    """Draws moments of the query in a row, and below it a row of their matches for each way to match.

    The label of a row says which share of all query frames has a match of the same phase.

    Args:
        query: The video that plays evenly.
        key: The video whose frames are looked up.
        matches: The key's frame for every frame of the query, (T,), by title.
        columns: Moments; fewer if the query has fewer frames.
        heading: Text above everything.

    Raises:
        InputError: There is not one match per query frame, or a match is not a frame of the key.
    """
    _check(query, key, matches)
    moments = np.unique(np.linspace(0, len(query) - 1, columns).round().astype(int)).tolist()
    rows = [
        ImageRow(
            [query.read(rank) for rank in moments], f"query\n{query.name}", [f"{rank}" for rank in moments]
        )
    ]
    for title, match in matches.items():
        others = [int(match[rank]) for rank in moments]
        verdicts = [same_phase(query, rank, key, other) for rank, other in zip(moments, others, strict=True)]
        pictures = [framed(key.read(other), same) for other, same in zip(others, verdicts, strict=True)]
        label = f"{title}\n{key.name}\n{_agreement(query, key, match)}"
        rows.append(ImageRow(pictures, label, [f"{other}" for other in others]))
    return image_grid(rows, heading=heading, cell_height=112)


def same_phase(query: Shown, rank: int, key: Shown, other: int) -> bool | None:
    """Whether two frames are of the same phase; none if that of one is not known."""
    if query.phases[rank] < 0 or key.phases[other] < 0:
        return None
    return bool(query.phases[rank] == key.phases[other])


def framed(pixels: Pixels, right: bool | None) -> Pixels:
    """The frame (H, W, 3) with a border: green if it is right, red if not, none if that is not known."""
    if right is None:
        return pixels
    picture = Image.fromarray(pixels)
    width = max(pixels.shape[0] // 32, 2)
    color = COLORS[2] if right else COLORS[1]
    ImageDraw.Draw(picture).rectangle(
        (0, 0, picture.width - 1, picture.height - 1), outline=color, width=width
    )
    return np.asarray(picture)


def phase_color(phase: int) -> str:
    """The color of a phase; gray where there is none."""
    return "#c8ced6" if phase < 0 else COLORS[phase % len(COLORS)]


def _check(query: Shown, key: Shown, matches: Mapping[str, Ranks]) -> None:
    for title, match in matches.items():
        if len(match) != len(query) or match.min(initial=0) < 0 or match.max(initial=0) >= len(key):
            raise InputError(
                f"{title}: {len(match)} matches in {match.min(initial=0)}..{match.max(initial=0)} do not "
                f"assign {len(key)} frames of {key.name} to {len(query)} frames of {query.name}."
            )


def _agreement(query: Shown, key: Shown, match: Ranks) -> str:
    known = (query.phases >= 0) & (key.phases[match] >= 0)
    if not known.any():
        return ""
    share = float((query.phases == key.phases[match])[known].mean())
    return f"same phase: {share:.0%} of the frames"


def _panel(title: str, video: Shown, rank: int, pixels: Pixels, ending: str, height: int) -> Image.Image:
    frame = Image.fromarray(pixels)
    width = max(round(frame.width * height / frame.height), 2)
    panel = Image.new("RGB", (width, _BAND + height + _TIMELINE), _PAPER)
    panel.paste(frame.resize((width, height), Image.Resampling.BICUBIC), (0, _BAND))
    draw = ImageDraw.Draw(panel)
    draw.text((2, 2), title, fill=INK, font=_font())
    draw.text((2, 2 + _LINE), _caption(video.name, f"  {ending}", width - 4), fill=SOFT_INK, font=_font())
    _draw_timeline(draw, video, rank, _BAND + height + _GAP, width)
    return panel


def _caption(name: str, ending: str, width: int) -> str:
    """The name, shortened from its start until it fits, and the ending."""
    for start in range(len(name)):
        caption = f"{'…' if start else ''}{name[start:]}{ending}"
        if _font().getlength(caption) <= width:
            return caption
    return ending.strip()


@cache
def _font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size=_TEXT_SIZE)


def _draw_timeline(draw: ImageDraw.ImageDraw, video: Shown, rank: int, top: int, width: int) -> None:
    starts = [0, *(np.flatnonzero(np.diff(video.phases)) + 1).tolist()]
    scale = width / len(video)
    for start, end in zip(starts, [*starts[1:], len(video)], strict=True):
        color = phase_color(int(video.phases[start]))
        draw.rectangle((start * scale, top, end * scale, top + 12), fill=color)
    middle = (rank + 0.5) * scale
    draw.polygon([(middle - 6, top + 24), (middle + 6, top + 24), (middle, top + 13)], fill=INK)


def _side_by_side(panels: list[Image.Image]) -> Image.Image:
    """All panels; even sizes, as videos need them."""
    width = sum(panel.width for panel in panels) + _GAP * (len(panels) - 1)
    height = max(panel.height for panel in panels)
    canvas = Image.new("RGB", (width + width % 2, height + height % 2), _PAPER)
    left = 0
    for panel in panels:
        canvas.paste(panel, (left, 0))
        left += panel.width + _GAP
    return canvas
