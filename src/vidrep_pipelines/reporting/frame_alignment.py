"""Film of two videos side by side, each frame of one with its match in the other."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from vidrep_pipelines.common.atomic import atomic_file
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.video.profiles import PROFILES
from vidrep_pipelines.reporting.figures import COLORS, INK
from vidrep_pipelines.reporting.pictures import Pixels

Ranks = NDArray[np.int64]
Read = Callable[[int], Pixels]
"""Reads one frame (H, W, 3) of a video by its number."""

_PAPER = "#ffffff"
_BAND, _TIMELINE, _GAP, _TEXT_SIZE = 26, 34, 6, 14


@dataclass(frozen=True)
class Shown:
    """A video to be shown.

    Attributes:
        name: Its caption.
        read: Reads a frame by number.
        phases: (T,) phase of every frame; negative where there is none.
    """

    name: str
    read: Read
    phases: NDArray[np.integer]

    def __len__(self) -> int:
        return len(self.phases)


def alignment_frames(
    query: Shown, key: Shown, match: Ranks, height: int = 224, stride: int = 1
) -> Iterator[Image.Image]:
    """Draws the frames of a film: the query plays on the left, its matches on the right.

    Below each video its phases are shown as a colored line with the place of the frame; the right caption
    says whether both frames are of the same phase.

    Args:
        query: The video that plays evenly.
        key: The video whose frames are looked up.
        match: (T,) frame of the key for every frame of the query.
        height: Of the videos in the picture, in pixels.
        stride: Every how many query frames are shown.

    Raises:
        InputError: There is not one match per query frame, or a match is not a frame of the key.
    """
    if len(match) != len(query) or match.min(initial=0) < 0 or match.max(initial=0) >= len(key):
        raise InputError(
            f"{len(match)} matches in {match.min(initial=0)}..{match.max(initial=0)} do not assign "
            f"{len(key)} frames of {key.name} to {len(query)} frames of {query.name}."
        )
    for rank in range(0, len(query), stride):
        other = int(match[rank])
        yield _side_by_side(
            _panel(query, rank, height, f"  {rank}"),
            _panel(key, other, height, f"  {other}{_verdict(query, rank, key, other)}"),
        )


def write_alignment_video(
    path: Path,
    query: Shown,
    key: Shown,
    match: Ranks,
    height: int = 224,
    frames_per_second: int = 12,
) -> int:
    """Writes the film of :func:`alignment_frames` as MP4; returns how many frames it has.

    Raises:
        InputError: As there.
    """
    import av  # noqa: PLC0415 (only films need it)

    from vidrep_pipelines.data.video.writer import VideoWriter  # noqa: PLC0415

    pictures = alignment_frames(query, key, match, height)
    first = next(pictures)
    with (
        atomic_file(path) as temporary,
        VideoWriter(temporary, *first.size, Fraction(frames_per_second), PROFILES["small"]) as writer,
    ):
        for picture in (first, *pictures):
            writer.write(av.VideoFrame.from_ndarray(np.asarray(picture), format="rgb24"))
        return writer.count


def _panel(video: Shown, rank: int, height: int, ending: str) -> Image.Image:
    frame = Image.fromarray(video.read(rank))
    width = max(round(frame.width * height / frame.height), 2)
    panel = Image.new("RGB", (width, _BAND + height + _TIMELINE), _PAPER)
    panel.paste(frame.resize((width, height), Image.Resampling.BICUBIC), (0, _BAND))
    draw = ImageDraw.Draw(panel)
    draw.text((2, 4), _caption(video.name, ending, width - 4), fill=INK, font=_font())
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
    edges = np.linspace(0, width, len(video) + 1)
    for number, phase in enumerate(video.phases.tolist()):
        draw.rectangle((edges[number], top, edges[number + 1], top + 12), fill=phase_color(phase))
    middle = (edges[rank] + edges[rank + 1]) / 2
    draw.polygon([(middle - 6, top + 24), (middle + 6, top + 24), (middle, top + 13)], fill=INK)


def _side_by_side(left: Image.Image, right: Image.Image) -> Image.Image:
    """Both panels; even sizes, as videos need them."""
    width, height = left.width + _GAP + right.width, max(left.height, right.height)
    canvas = Image.new("RGB", (width + width % 2, height + height % 2), _PAPER)
    canvas.paste(left, (0, 0))
    canvas.paste(right, (left.width + _GAP, 0))
    return canvas


def _verdict(query: Shown, rank: int, key: Shown, other: int) -> str:
    if query.phases[rank] < 0 or key.phases[other] < 0:
        return ""
    return "  same phase" if query.phases[rank] == key.phases[other] else "  other phase"


def phase_color(phase: int) -> str:
    """The color of a phase; grey where there is none."""
    return "#c8ced6" if phase < 0 else COLORS[phase % len(COLORS)]
