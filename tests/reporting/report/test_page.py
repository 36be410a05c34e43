"""The report, rendered from small records."""

import math
import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.html_page import Page
from vidrep_pipelines.common.provenance import Provenance
from vidrep_pipelines.reporting.report.page import (
    CURVE_HEIGHT,
    CURVE_WIDTH,
    bar,
    comparison,
    curve_path,
    describe_curve,
    duration,
    render_page,
)
from vidrep_pipelines.reporting.report.published_numbers import PUBLISHED_NUMBERS, published_numbers
from vidrep_pipelines.reporting.report.records import (
    Exhibit,
    FolderReport,
    ReportedCurve,
    ReportedData,
    ReportedEvaluation,
    ReportedScore,
    ReportedTraining,
    ScoreBlock,
)

RSP = ReportedScore("rsp", "rsp", 41.2, 38.0, 44.5)
RANDOM = ReportedScore("random", "random", 35.0, role="floor")
PIXELS = ReportedScore("pixels", "pixels", 31.0, 30.0, 32.0, role="floor")
WORDS = "12 clips of the sample world in DAVIS-2017's layout, not DAVIS-2017"
MADE = Provenance(
    dataset="davis.summary", measured_on=WORDS, data_digest="1f2e", commit="commit 1a2b3c", device="2 cores",
    environment="laptop", versions={"python": "3.11.9"}, pipelines=("eval_davis",),
    finished="2026-01-02T03:04:05+00:00", seconds=75.0, peak_memory_gibibytes=1.25,
)  # fmt: skip
MAIN = ScoreBlock("J&F-Mean", (RSP, RANDOM, PIXELS), published_numbers("davis.summary", "J&F-Mean"))


def small_report(folder: Path) -> FolderReport:
    bars, film, elsewhere = (
        folder / "08_reporting/davis/bars #1.png",
        folder / "07/films/a.mp4",
        folder / "l.png",
    )
    davis = ReportedEvaluation(
        "davis", "label propagation, %", (MAIN, ScoreBlock("J-Mean", (RSP,))), MADE,
        (Exhibit(bars, "Measures & intervals", (640, 400)), Exhibit(film, "The best sequence")),
    )  # fmt: skip
    rsp = ReportedTraining(
        "rsp",
        "trained",
        (("Updates", "1,200"),),
        (ReportedCurve("train/loss", (1, 2, 3), (3.0, 2.0, 0.1)),),
        None,
    )
    counts = (("reasons", (("too short", 3.0), ("damaged", 1.0))),)
    clips = ReportedData("label filter", (("listed", "24"),), counts)
    return FolderReport(
        "data", (davis,), (rsp,), (clips,), Exhibit(elsewhere, "What is made from what"), ("x",)
    )


def rendered(tmp_path: Path, report: FolderReport | None = None) -> Page:
    folder = tmp_path / "data"
    (folder / "08_reporting").mkdir(parents=True, exist_ok=True)
    (tmp_path / "docs").mkdir(exist_ok=True)
    (tmp_path / "docs" / "lineage.png").write_bytes(b"\x89PNG")
    shown = small_report(folder) if report is None else report
    if shown.lineage is not None:
        shown = replace(shown, lineage=replace(shown.lineage, file=tmp_path / "docs" / "lineage.png"))
    return Page(render_page(shown, folder / "08_reporting" / "report.html"))


def test_page_is_well_formed_and_labelled(tmp_path: Path) -> None:
    page = rendered(tmp_path)
    assert page.faults == []
    (html,) = page.all("html")
    assert html == {"lang": "en"}
    assert [values["name"] for values in page.all("meta") if "name" in values] == ["viewport", "color-scheme"]
    headings = [int(tag[1]) for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert headings[0] == 1 and headings.count(1) == 1
    assert all(later - earlier <= 1 for earlier, later in pairwise(headings))


def test_page_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    page = rendered(tmp_path)
    assert not [
        address for address in page.addresses() if re.match(r"[a-z]+:|//", address) and "data:" not in address
    ]
    assert "script" not in [tag for tag, _ in page.elements]


def test_pictures_and_films_are_linked_from_where_the_page_lies(tmp_path: Path) -> None:
    page = rendered(tmp_path)
    bars, lineage = page.all("img")
    assert bars["src"] == "davis/bars%20%231.png" and bars["alt"] == "Measures & intervals"
    assert (bars["width"], bars["height"]) == ("640", "400")
    assert str(lineage["src"]).startswith("data:image/png;base64,")
    (film,) = page.all("video")
    assert film["src"] == "../07/films/a.mp4" and "controls" in film


def test_page_says_what_was_measured_on_what(tmp_path: Path) -> None:
    text = " ".join(rendered(tmp_path).text.split())
    assert f"Measured on {WORDS}" in text
    for fact in (
        "1f2e",
        "commit 1a2b3c",
        "laptop",
        "2 cores",
        "python 3.11.9",
        "eval_davis",
        "75 s",
        "1.25 GiB",
    ):
        assert fact in text
    assert "41.2 [38, 44.5]" in text and "too short" in text and "1,200" in text
    assert "RSP 60.1" in text and "they are not comparable" in text


def test_numbers_on_the_published_data_stand_beside_published_ones(tmp_path: Path) -> None:
    report = small_report(tmp_path / "data")
    davis = replace(report.evaluations[0], provenance=MADE.model_copy(update={"is_benchmark": True}))
    text = rendered(tmp_path, replace(report, evaluations=(davis,))).text
    assert "RSP 60.1" in text and "not comparable" not in text


def test_an_empty_folder_says_how_to_begin(tmp_path: Path) -> None:
    page = rendered(tmp_path, FolderReport("data"))
    assert page.faults == [] and "kedro run --pipelines pretrain_rsp" in page.text


def test_names_of_users_are_text(tmp_path: Path) -> None:
    odd = ReportedScore("<b>&'\"", "<script>alert(1)</script>", math.nan)
    report = FolderReport("<i>", (ReportedEvaluation("a b", "<u>", (ScoreBlock("<s>", (odd, RANDOM)),)),))
    page = rendered(tmp_path, report)
    assert page.faults == [] and "<script>alert(1)</script>" in page.text
    assert not {"script", "b", "i", "u", "s"} & {tag for tag, values in page.elements if not values}


def test_systems_are_compared_above_the_best_floor() -> None:
    davis = ReportedEvaluation("davis", "label propagation, %", (MAIN,))
    carl = ReportedEvaluation("carl", "error, less is better", (ScoreBlock("", (RSP, RANDOM, PIXELS)),))
    other = ReportedEvaluation("vip", "x", (ScoreBlock("", (replace(RSP, system="dino"),)),))
    table = comparison([davis, carl, other, ReportedEvaluation("none", "x", ())])
    assert [system for system, _ in table.rows] == ["rsp", "dino"]
    assert [cell.score is not None for cell in table.rows[0][1]] == [True, True, False]
    assert table.floors == (RANDOM, PIXELS, None)


@given(
    values=st.lists(st.floats(-1e6, 1e6) | st.just(math.nan), min_size=1, max_size=6),
    reach=st.floats(0, 1e3),
)
def test_bars_stay_on_the_scale(values: list[float], reach: float) -> None:
    scores = tuple(ReportedScore("a", "a", value, value - reach, value + reach) for value in values)
    block = ScoreBlock("", scores, PUBLISHED_NUMBERS[:1])
    for score in (*scores, *block.published):
        drawn = bar(block, score)
        assert 0 <= drawn.left <= 100 and 0 <= drawn.place <= 100 and drawn.width >= 0
        assert drawn.left + drawn.width <= 100.02


@given(values=st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=20))
def test_curves_stay_in_their_box(values: list[float]) -> None:
    curve = ReportedCurve("x", tuple(map(float, range(len(values)))), tuple(values))
    numbers = [float(number) for number in re.findall(r"-?[\d.]+", curve_path(curve))]
    assert len(numbers) == 2 * len(values)
    assert all(0 <= x <= CURVE_WIDTH for x in numbers[::2]) and all(
        0 <= y <= CURVE_HEIGHT for y in numbers[1::2]
    )


def test_curves_in_words() -> None:
    curve = ReportedCurve("loss", (1, 2, 3), (3.0, 0.1, 0.5))
    assert describe_curve(curve) == "from 3 at update 1 to 0.5 at 3; lowest 0.1, highest 3; logarithmic scale"
    assert describe_curve(ReportedCurve("loss", (), ())) == "no value"


@pytest.mark.parametrize(("seconds", "text"), [(5, "5 s"), (600, "10 min"), (9000, "2.5 h")])
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text
