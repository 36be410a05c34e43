import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from vidrep_pipelines.fanout import manifest, records
from vidrep_pipelines.fanout.bookkeeping import Bookkeeping
from vidrep_pipelines.fanout.errors import FanOutError
from vidrep_pipelines.fanout.manifest import Stamp, rows_to_table, write_manifest
from vidrep_pipelines.fanout.records import Records, read_records

KEY = "vidrep-fanout-00"


def _row(number: int, status: str = "ok", **facts: object) -> dict[str, Any]:
    fixed = {"error": None, "seconds": 0.5, "bytes": number, "digest": f"d{number}", "attempts": 1}
    return {"id": f"clip {number}", "status": status, **fixed, "facts": facts}


def _journal(books: Bookkeeping, name: str, rows: list[dict[str, Any]], end: str = "") -> None:
    books.journals.mkdir(parents=True, exist_ok=True)
    (books.journals / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows) + end)


def _table(found: Records, rows: list[int], rows_at_once: int = 1000) -> pa.Table:
    return pa.concat_tables(found.tables(np.array(rows, np.int64), rows_at_once))


def test_rows_come_back_from_wherever_they_are_in_any_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "_JOURNAL_ROWS_AT_ONCE", 2)
    monkeypatch.setattr(manifest, "_ROW_GROUP", 2)
    books = Bookkeeping(tmp_path)
    parts = [rows_to_table([_row(n, size=n) for n in range(5)]), rows_to_table([_row(5, size=5)])]
    write_manifest(books.manifest, parts, Stamp("job", (), "d", 6, complete=True))
    _journal(books, "a", [_row(n, size=n) for n in (6, 7, 8)], end='{"id": "torn')
    _journal(books, "b", [_row(9, size=9)])
    found = read_records([books], KEY)
    assert found.sizes.tolist() == list(range(10))
    order = np.random.default_rng(0).permutation(10).tolist()
    for rows_at_once in (1, 3, 100):
        table = _table(found, order, rows_at_once)
        assert table["size"].to_pylist() == order
        assert table["id"].to_pylist() == [f"clip {number}" for number in order]


def test_the_schema_follows_from_the_rows_and_not_from_who_wrote_them(tmp_path: Path) -> None:
    rows = [
        _row(0, b=1, a=None),
        _row(1, c="x", b=2.5),
        _row(2, "failed"),
        _row(3, a=True, d=1),
        _row(4, d="y"),
    ]
    divisions = [[rows], [rows[:1], rows[1:2], rows[2:]], [rows[::-1]], [rows[3:], rows[:3]]]
    tables = []
    for number, division in enumerate(divisions):
        books = Bookkeeping(tmp_path / str(number))
        for name, piece in enumerate(division):
            _journal(books, str(name), piece)
        found = read_records([books], KEY)
        tables.append(_table(found, np.argsort(found.sizes).tolist()))
    assert tables[0].column_names[8:] == ["b", "a", "c", "d"]
    assert all(table.equals(tables[0]) for table in tables[1:])


def test_the_last_row_with_an_outcome(tmp_path: Path) -> None:
    books = Bookkeeping(tmp_path)
    _journal(books, "a", [_row(1), _row(2, "failed"), _row(1), _row(2), _row(2, "failed")])
    found = read_records([books], KEY)
    wanted = np.array([found.keys[0], found.keys[1], 7], np.uint64)
    assert found.last(wanted, ok=True).tolist() == [2, 3, -1]
    assert found.last(wanted, ok=False).tolist() == [-1, 4, -1]
    nothing = read_records([Bookkeeping(tmp_path / "none")], KEY)
    assert nothing.last(wanted, ok=True).tolist() == [-1, -1, -1]
    assert _table(nothing, []).num_rows == 0


def test_a_damaged_manifest_is_named(tmp_path: Path) -> None:
    books = Bookkeeping(tmp_path)
    books.manifest.mkdir(parents=True)
    (books.manifest / "part-00000.parquet").write_bytes(b"x")
    with pytest.raises(FanOutError, match=r"part-00000\.parquet is damaged"):
        read_records([books], KEY)
