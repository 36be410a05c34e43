import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fanout.jobs import executions, value_job
from vidrep_pipelines.fanout.bookkeeping import Bookkeeping
from vidrep_pipelines.fanout.journal import JournalRow, JournalWriter, journal_files, parse_line, read_journal
from vidrep_pipelines.fanout.manifest import (
    FIXED,
    Stamp,
    read_manifest,
    read_stamp,
    rows_to_table,
    write_manifest,
)
from vidrep_pipelines.fanout.runner import run_job

ROW: JournalRow = {
    "id": "x",
    "status": "ok",
    "error": None,
    "seconds": 1.0,
    "bytes": 0,
    "digest": "d",
    "attempts": 1,
    "checksums": None,
    "facts": {},
}
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
WHOLE = st.integers(-(2**63), 2**63 - 1)
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "id": TEXT,
            "status": st.sampled_from(["ok", "failed"]),
            "error": st.none() | TEXT,
            "seconds": st.floats(0, 1e6),
            "bytes": st.integers(0, 2**62),
            "digest": TEXT,
            "attempts": st.integers(1, 9),
            "checksums": st.none() | st.just("0123456789abcdef"),
            "facts": st.fixed_dictionaries(
                {},
                optional={
                    "frames": st.none() | WHOLE,
                    "codec": st.none() | TEXT,
                    "rate": st.none() | st.floats(allow_nan=False),
                    "audio": st.none() | st.booleans(),
                },
            ),
        }
    ),
    max_size=12,
)


def read_journals(folder: Path) -> list[JournalRow]:
    return [row for path in journal_files(folder) for _, row in read_journal(path)]


@given(rows=ROWS)
@settings(max_examples=60, deadline=None)
def test_rows_come_back_from_journal_and_manifest(
    rows: list[dict[str, object]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("journal")
    with JournalWriter(folder / "journal") as journal:
        for row in rows:
            journal.append(row)
    assert list(read_journals(folder / "journal")) == rows
    stamp = Stamp("name", (".mp4",), "digest", len(rows), complete=True)
    write_manifest(folder / "manifest", [rows_to_table(rows[:5]), rows_to_table(rows[5:])], stamp)
    assert read_stamp(folder / "manifest") == stamp
    found = read_manifest(folder / "manifest").to_pylist()
    facts = {name for row in rows for name in row["facts"]}  # type: ignore[attr-defined]
    expected = [
        {**{k: v for k, v in row.items() if k != "facts"}, **{k: row["facts"].get(k) for k in facts}}  # type: ignore[attr-defined]
        for row in rows
    ]
    assert found == expected


@given(rows=ROWS, data=st.data())
@settings(max_examples=60, deadline=None)
def test_a_torn_journal_keeps_its_whole_rows(
    rows: list[dict[str, object]], data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("journal")
    with JournalWriter(folder) as journal:
        for row in rows:
            journal.append(row)
    files = list(folder.iterdir())
    assert len(files) == bool(rows)
    for path in files:
        content = path.read_bytes()
        cut = data.draw(st.integers(0, len(content)))
        path.write_bytes(content[:cut])
        assert list(read_journals(folder)) == rows[: content[:cut].count(b"\n")]


def test_no_journal_without_rows(tmp_path: Path) -> None:
    with JournalWriter(tmp_path / "journal"):
        pass
    assert not (tmp_path / "journal").exists()
    assert list(read_journals(tmp_path / "journal")) == []


def test_lines_that_are_no_rows_are_passed_over(tmp_path: Path) -> None:
    whole = json.dumps(ROW).encode()
    (tmp_path / "a.jsonl").write_bytes(b"\0\0\0\n[1]\n" + whole + b'\n{"id": "x"}\n"text"\n' + whole + b"\n")
    places = [place for place, row in read_journal(tmp_path / "a.jsonl") if row == ROW]
    content = (tmp_path / "a.jsonl").read_bytes()
    assert places == [8, content.rfind(whole)]
    assert parse_line(content[8 : content.find(b"\n", 8) + 1]) == ROW


def test_two_writers_do_not_share_a_file(tmp_path: Path) -> None:
    with JournalWriter(tmp_path) as first, JournalWriter(tmp_path) as second:
        first.append({**ROW, "id": "a"})
        second.append({**ROW, "id": "b"})
    assert len(list(tmp_path.iterdir())) == 2
    assert sorted(row["id"] for row in read_journals(tmp_path)) == ["a", "b"]


@pytest.mark.parametrize(
    "damage",
    [
        b'{"id": "x"}',
        b"\xff\xfe nothing",
        b"[" * 100_000,
        json.dumps({**ROW, "id": 3}).encode(),
        json.dumps({**ROW, "bytes": "many"}).encode(),
        json.dumps({**ROW, "bytes": 2**70}).encode(),
        json.dumps({**ROW, "status": "half"}).encode(),
        json.dumps({**ROW, "digest": None}).encode(),
        json.dumps({**ROW, "checksums": 7}).encode(),
        json.dumps({**ROW, "facts": {"frames": [1]}}).encode(),
        json.dumps({**ROW, "facts": {"frames": 2**70}}).encode(),
    ],
    ids=lambda line: line[:40].decode("latin-1"),
)
def test_a_damaged_line_costs_its_item_and_one_warning(
    tmp_path: Path, damage: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    job = value_job(range(3), log=str(tmp_path / "log"))
    out = tmp_path / "out"
    whole = run_job(job, out)
    journal = Bookkeeping(out).journals / "a.jsonl"
    journal.parent.mkdir()
    rows = [json.dumps(_as_journal(row)).encode() for row in whole.table.to_dict("records")]
    journal.write_bytes(b"\n".join([rows[0], damage, rows[2]]) + b"\n")
    shutil.rmtree(Bookkeeping(out).manifest)
    parts = run_job(job, out)
    assert executions(tmp_path / "log") == [0, 1, 2, 1]
    assert parts.ids == whole.ids and not Bookkeeping(out).journals.exists()
    warnings = [text for text in caplog.messages if "damaged" in text]
    assert len(warnings) == 1 and "a.jsonl: 1 lines are damaged" in warnings[0]


def test_rows_of_earlier_versions_count(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(json.dumps({k: v for k, v in ROW.items() if k != "checksums"}) + "\n")
    ((_, row),) = read_journal(tmp_path / "a.jsonl")
    assert rows_to_table([row])["checksums"].to_pylist() == [None]


def _as_journal(row: dict[Any, Any]) -> dict[str, Any]:
    fixed = {name: row.pop(name) for name in FIXED.names}
    return {**fixed, "error": None, "facts": row}
