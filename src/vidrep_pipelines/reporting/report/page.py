"""The report of a data folder: one static HTML page that opens offline, beside the pictures that it shows."""

import base64
import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from vidrep_pipelines.reporting.report.records import (
    FolderReport,
    PublishedNumber,
    ReportedCurve,
    ReportedEvaluation,
    ReportedScore,
    ScoreBlock,
)

if TYPE_CHECKING:
    from jinja2 import Template

CURVE_WIDTH, CURVE_HEIGHT = 600, 150
_ROOM = 0.06
"""Share of the numbers' range that a scale goes on for on both sides."""
_LOGARITHMIC = 20
"""A curve of positive values that differ by more than this factor is drawn on a logarithmic scale."""


@dataclass(frozen=True)
class Bar:
    """Where a number and its interval stand on the scale of their block, in percent of its width."""

    place: float
    left: float
    width: float


@dataclass(frozen=True)
class ComparedCell:
    """An evaluation's main number of one system."""

    score: ReportedScore | None
    evaluation: ReportedEvaluation


@dataclass(frozen=True)
class SystemComparison:
    """Systems by evaluations.

    Attributes:
        evaluations: The columns.
        rows: For each system its cells.
        floors: The best floor of each evaluation.
    """

    evaluations: tuple[ReportedEvaluation, ...]
    rows: tuple[tuple[str, tuple[ComparedCell, ...]], ...]
    floors: tuple[ReportedScore | None, ...]


def render_page(report: FolderReport, place: Path) -> str:
    """The page as HTML.

    Args:
        report: What it shows.
        place: The file that it is going to be, one folder below the root of the data folder. Pictures and
            films in the data folder are linked to from there, so that it can be copied; others become part
            of the page.
    """

    def address(file: Path) -> str:
        inside = file.absolute().is_relative_to(place.absolute().parents[1])
        return quote(os.path.relpath(file, place.parent).replace(os.sep, "/")) if inside else _embedded(file)

    page = _template().render(
        report=report,
        comparison=comparison(report.evaluations),
        address=address,
        bar=bar,
        number=number,
        slug=slug,
        time=duration,
        path=curve_path,
        describe=describe_curve,
        width=CURVE_WIDTH,
        height=CURVE_HEIGHT,
        style=_file("page.css"),
    )
    return page.lstrip()


def comparison(evaluations: Sequence[ReportedEvaluation]) -> SystemComparison:
    """Systems by evaluations, by the main measure of each; floors and ceilings are no systems."""
    shown = tuple(each for each in evaluations if each.blocks and each.blocks[0].scores)
    contenders = [score for each in shown for score in each.blocks[0].scores if not score.role]
    rows = tuple(
        (system, tuple(ComparedCell(_score_of(each, system), each) for each in shown))
        for system in dict.fromkeys(score.system for score in contenders)
    )
    return SystemComparison(shown, rows, tuple(_best_floor(each) for each in shown))


def _score_of(evaluation: ReportedEvaluation, system: str) -> ReportedScore | None:
    own = (score for score in evaluation.blocks[0].scores if score.system == system and not score.role)
    return next(own, None)


def _best_floor(evaluation: ReportedEvaluation) -> ReportedScore | None:
    floors = [score for score in evaluation.blocks[0].scores if score.role == "floor"]
    floors.sort(key=lambda score: score.value, reverse="less is better" not in evaluation.what)
    return floors[0] if floors else None


def bar(block: ScoreBlock, score: ReportedScore | PublishedNumber) -> Bar:
    """Where a number stands among those of its block, whose scale holds every interval."""
    low, high = scale_of(block)
    ends = (score.value, score.value)
    if isinstance(score, ReportedScore) and score.low is not None and score.high is not None:
        ends = (score.low, score.high)
    place, left, right = (_percent(value, low, high) for value in (score.value, *ends))
    return Bar(place, left, round(right - left, 2))


def scale_of(block: ScoreBlock) -> tuple[float, float]:
    """Both ends of a block's scale, a little beyond all numbers and intervals; never equal."""
    values = [*(score.value for score in block.scores), *(number.value for number in block.published)]
    values += [end for score in block.scores for end in (score.low, score.high) if end is not None]
    known = [value for value in values if math.isfinite(value)] or [0.0]
    low, high = min(known), max(known)
    room = _ROOM * (high - low) or 1.0
    return low - room, high + room


def _percent(value: float, low: float, high: float) -> float:
    share = (value - low) / (high - low) if math.isfinite(value) else 0.0
    return round(100 * min(max(share, 0.0), 1.0), 2)


def curve_path(curve: ReportedCurve) -> str:
    """The curve as the ``d`` of an SVG path, in a box of ``CURVE_WIDTH`` by ``CURVE_HEIGHT``."""
    if not curve.steps:
        return ""
    values = _scaled(curve.values)
    (left, right), (low, high) = ((min(axis), max(axis)) for axis in (curve.steps, values))
    points = (
        (
            CURVE_WIDTH * (step - left) / (right - left or 1.0),
            CURVE_HEIGHT * (1 - (value - low) / (high - low or 1.0)),
        )
        for step, value in zip(curve.steps, values, strict=True)
    )
    return "M" + " L".join(f"{x:.1f},{y:.1f}" for x, y in points)


def is_logarithmic(values: Iterable[float]) -> bool:
    """Whether values are drawn by their logarithms."""
    known = list(values)
    return min(known) > 0 and max(known) > _LOGARITHMIC * min(known)


def _scaled(values: Sequence[float]) -> Sequence[float]:
    return [math.log10(value) for value in values] if is_logarithmic(values) else values


def describe_curve(curve: ReportedCurve) -> str:
    """The curve in words, for those who do not see it."""
    if not curve.steps:
        return "no value"
    first, last = curve.values[0], curve.values[-1]
    text = f"from {number(first)} at update {curve.steps[0]:.0f} to {number(last)} at {curve.steps[-1]:.0f}"
    text += f"; lowest {number(min(curve.values))}, highest {number(max(curve.values))}"
    return text + ("; logarithmic scale" if is_logarithmic(curve.values) else "")


def number(value: float) -> str:
    """Three digits."""
    return f"{value:.3g}" if math.isfinite(value) else "undefined"


def duration(seconds: float) -> str:
    """Seconds, minutes or hours."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def slug(name: str) -> str:
    """A name as the target of a link."""
    return "".join(letter if letter.isalnum() else "-" for letter in name.lower())


def _embedded(file: Path) -> str:
    return f"data:image/png;base64,{base64.b64encode(file.read_bytes()).decode()}"


@cache
def _template() -> "Template":
    from jinja2 import Environment, StrictUndefined  # noqa: PLC0415 - only a run's end needs it

    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.from_string(_file("page.html"))


def _file(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")
