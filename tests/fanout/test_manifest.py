from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from vidrep_pipelines.fanout import manifest
from vidrep_pipelines.fanout.errors import FanOutError
from vidrep_pipelines.fanout.journal import Row
from vidrep_pipelines.fanout.manifest import concatenate, read_manifest, read_stamp, rows_to_table


def _row(name: str, **facts: object) -> Row:
    fixed = {
        "id": name,
        "status": "ok",
        "error": None,
        "seconds": 0.5,
        "bytes": 1,
        "digest": "d",
        "attempts": 1,
    }
    return {**fixed, "facts": facts}


def test_missing_manifest_is_an_empty_one(tmp_path: Path) -> None:
    assert len(read_manifest(tmp_path / "none")) == 0
    assert read_stamp(tmp_path / "none") is None


def test_a_parquet_file_that_is_no_manifest(tmp_path: Path) -> None:
    pq.write_table(pa.table({"x": [1]}), tmp_path / "other.parquet")
    with pytest.raises(FanOutError, match=r"other\.parquet is damaged"):
        read_stamp(tmp_path / "other.parquet")


def test_pieces_agree_on_types(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifest, "_ROWS_AT_ONCE", 2)
    rows = [
        _row("a", number=1, rare=None, mixed=1),
        _row("b", number=2),
        _row("c", number=2.5, rare="x", mixed="one"),
        _row("d"),
        _row("e", number=None, mixed=True),
    ]
    table = rows_to_table(rows)
    assert table["number"].to_pylist() == [1.0, 2.0, 2.5, None, None]
    assert table["rare"].to_pylist() == [None, None, "x", None, None]
    assert table["mixed"].to_pylist()[2] == "one"
    assert table.schema.field("mixed").type == pa.string()


def test_tables_with_different_facts_are_joined() -> None:
    both = concatenate([rows_to_table([_row("a", old=1)]), rows_to_table([_row("b", new="x")])])
    assert both.select(["id", "old", "new"]).to_pylist() == [
        {"id": "a", "old": 1, "new": None},
        {"id": "b", "old": None, "new": "x"},
    ]
