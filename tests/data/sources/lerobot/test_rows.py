from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.sources.lerobot import rows
from vidrep_pipelines.data.sources.lerobot.rows import ForeignColumns, number_column, read_rows


def written(path: Path, groups: int = 3) -> Path:
    """Rows 0 to 8 in groups of three; a column's name begins like another's."""
    table = pa.table({"a": range(9), "a.b": [[1.0, 2.0]] * 9, "text": [str(number) for number in range(9)]})
    pq.write_table(table, path, row_group_size=9 // groups)
    return path


def test_only_the_columns_that_are_asked_for(tmp_path: Path) -> None:
    columns = ForeignColumns(written(tmp_path / "a.parquet"), ("a", "absent"))
    assert columns.names == ["a"]
    batches = list(columns.batches(100))
    assert [name for batch in batches for name in batch.schema.names] == ["a"] * len(batches)
    assert [value for batch in batches for value in batch["a"].to_pylist()] == list(range(9))


def test_groups_without_the_number_are_not_read(tmp_path: Path) -> None:
    columns = ForeignColumns(written(tmp_path / "a.parquet"), ("a",))
    assert [value for batch in columns.batches(2, ("a", 4)) for value in batch["a"].to_pylist()] == [3, 4, 5]
    assert [len(batch) for batch in columns.batches(2, ("text", 4))] == [2] * 4 + [1]


def test_short_tables_as_rows(tmp_path: Path) -> None:
    path = written(tmp_path / "a.parquet")
    assert read_rows(path, ("a", "text"), "things")[8] == {"a": 8, "text": "8"}
    with pytest.raises(InputError, match="lacks the columns b, c of things"):
        read_rows(path, ("a", "b", "c"), "things")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "it is empty"),
        (b"version https://git-lfs.github.com/spec/v1\nsize 12\n", "Git-LFS pointer to a file of 12 bytes"),
        (b"PAR1 nothing of the kind PAR1", "is no readable table"),
    ],
)
def test_other_files_are_named(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        ForeignColumns(path, ("a",))


def test_a_damaged_page_is_named(tmp_path: Path) -> None:
    path = written(tmp_path / "a.parquet", groups=1)
    data = path.read_bytes()
    path.write_bytes(data[:4] + bytes(60) + data[64:])
    columns = ForeignColumns(path, ("a", "text"))
    with pytest.raises(InputError, match=r"a\.parquet is no readable table"):
        list(columns.batches(100))


def test_more_than_was_meant_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path / "a.parquet")
    with pytest.raises(InputError, match="a row of it has more than 1 numbers"):
        ForeignColumns(path, ("a.b",), numbers=1)
    ForeignColumns(path, ("a",), numbers=2)
    monkeypatch.setattr(rows, "_ALWAYS_ALLOWED", 10)
    monkeypatch.setattr(rows, "_LARGEST_GROWTH", 0)
    with pytest.raises(InputError, match="would unpack to more than 10 bytes"):
        ForeignColumns(path, ("a",))
    monkeypatch.setattr(rows, "MOST_ROWS", 8)
    with pytest.raises(InputError, match="it has 9 rows"):
        ForeignColumns(path, ("a",))


@pytest.mark.parametrize(
    "values",
    [
        pa.array([[1, 2], [3, 4]], pa.list_(pa.float32())),
        pa.array([[1, 2], [3, 4]], pa.large_list(pa.int8())),
        pa.array([[1, 2], [3, 4]], pa.list_(pa.float64(), 2)),
        pa.array([[9, 9], [1, 2], [3, 4]], pa.list_(pa.float32(), 2)).slice(1),
        pa.array([[9], [1, 2], [3, 4]], pa.list_(pa.float32())).slice(1),
    ],
)
def test_numbers_of_lists(values: pa.Array) -> None:
    np.testing.assert_array_equal(number_column(values, "a", "here"), [[1, 2], [3, 4]])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (pa.array([[1.0], None]), "here: a is empty in some rows"),
        (pa.array([[1.0], [None]]), "a is double or has gaps"),
        (pa.array([1, None]), "a is int64 or has gaps"),
        (pa.array([[1], []]), "a has 0 to 1 numbers in a row"),
        (pa.array(["a"]), "a is string or has gaps"),
        (pa.array([[[1]]]), "a is list<.*> or has gaps"),
    ],
)
def test_what_is_no_number(values: pa.Array, message: str) -> None:
    with pytest.raises(InputError, match=message):
        number_column(values, "a", "here")
