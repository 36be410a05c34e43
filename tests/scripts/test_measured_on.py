"""The tables of what was measured are made from what runs have left."""

import json
from pathlib import Path

import pandas as pd
import pytest
from scripts.measured_on import (
    BEGIN,
    END,
    README,
    RECORDS,
    ROOT,
    SYSTEMS,
    page_tables,
    pages,
    readme_table,
    records_of,
    with_table,
)

from tests.test_pipeline_registry import PIPELINES
from vidrep_pipelines.common.provenance import Provenance
from vidrep_pipelines.headlines import headline_of

KEPT = json.loads(RECORDS.read_text())
MADE = pages(KEPT)


@pytest.mark.parametrize("path", MADE, ids=lambda path: path.name)
def test_pages_are_current(path: Path) -> None:
    assert path.read_text() == MADE[path], "make measured"


def test_tables_are_headlines_of_pipelines_and_their_sections_exist() -> None:
    made = {dataset for pipeline in PIPELINES.values() for dataset in pipeline.all_outputs()}
    for each in SYSTEMS:
        assert all(headline_of(dataset) is not None and dataset in made for dataset in each.headlines)
        headings = [line for line in (ROOT / "docs" / each.page).read_text().splitlines() if line[:1] == "#"]
        anchors = {line.lstrip("# ").lower().replace("'", "").replace(" ", "-") for line in headings}
        assert each.anchor in anchors


@pytest.mark.parametrize("name", KEPT)
def test_what_was_run_exists(name: str) -> None:
    assert set(KEPT[name]["pipelines"]) <= set(PIPELINES) and KEPT[name]["measured_on"]
    assert all(rows for rows in KEPT[name]["blocks"].values())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder after a run of ``eval_davis``, with tables of other runs whose origin nobody noted."""
    table = pd.DataFrame(
        [("rsp", "J&F", 71.23456, 70.0, 72.5, 6), ("random", "J&F", 60.0, 58.0, 62.0, 6)],
        columns=["encoder", "measure", "value", "low", "high", "sequences"],
    )
    for name in ("davis", "jhmdb"):
        (tmp_path / name).mkdir()
        table.to_parquet(tmp_path / name / "summary.parquet")
    Provenance(
        dataset="davis.summary", measured_on="6 sequences", commit="commit 1a2b3c", device="2 cores",
        pipelines=("eval_davis",), finished="2026-01-02T03:04:05+00:00", seconds=61.0,
    ).write_beside(tmp_path / "davis" / "summary.parquet")  # fmt: skip
    return tmp_path


def test_records_are_taken_over_from_a_data_folder(folder: Path) -> None:
    records = records_of(folder)
    assert list(records) == ["davis.summary"]
    assert records["davis.summary"]["blocks"] == {
        "J&F": [["rsp", 71.23, 70.0, 72.5, ""], ["random", 60.0, 58.0, 62.0, "floor"]]
    }
    row = readme_table(records).splitlines()[2]
    titled = "label propagation, J&F: "
    assert f"| {titled}rsp 71.2 [70, 72.5] | {titled}random 60 [58, 62] |" in row
    assert "not run yet" in readme_table(records).splitlines()[3]
    page = page_tables(SYSTEMS[0], records)
    assert "| J&F | random | 60 [58, 62] | floor |" in page
    assert "6 sequences; `kedro run --pipelines eval_davis`; 2026-01-02, commit 1a2b3c, 2 cores, 61 s" in page


def test_other_numbers_make_other_pages(folder: Path) -> None:
    changed = {path for path, text in pages({**KEPT, **records_of(folder)}).items() if MADE[path] != text}
    assert changed == {README, ROOT / "docs" / "label_propagation.md"}


def test_a_page_has_one_place_for_its_table() -> None:
    assert with_table(f"a {BEGIN} old {END} b", "new") == f"a {BEGIN}\n\nnew\n\n{END} b"
    for text in ("nothing", f"{BEGIN}{END}{BEGIN}{END}"):
        with pytest.raises(ValueError, match="not one"):
            with_table(text, "new")
