from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.tables.partitioned_table import ColumnReader, PartitionedTable, write_table
from vidrep_pipelines.data.tables.table import LazyTable, as_table, joined_text, left_join, schema_of

COLUMNS = {"id": "string", "frames": "Int64", "bytes": "int64", "good": "boolean", "rate": "Float64"}


def frame(count: int) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "id": [f"clip {number:04}" for number in range(count)],
            "frames": [None if number % 3 else number for number in range(count)],
            "bytes": range(count),
            "good": [None if number % 4 else bool(number % 8) for number in range(count)],
            "rate": [number / 7 for number in range(count)],
        }
    ).astype(COLUMNS)


@pytest.mark.parametrize(("count", "parts"), [(0, 1), (1, 1), (99, 1), (100, 1), (101, 2), (250, 3)])
def test_tables_are_cut_into_files_and_read_by_pandas(count: int, parts: int, tmp_path: Path) -> None:
    table = write_table(frame(count), tmp_path / "t.parquet", rows_per_part=100)
    assert [path.name for path in table.parts] == [f"part-{number:05}.parquet" for number in range(parts)]
    assert (len(table), table.empty, table.columns) == (count, count == 0, list(COLUMNS))
    pd.testing.assert_frame_equal(pd.read_parquet(table.folder), frame(count))
    pd.testing.assert_frame_equal(table.to_pandas(), frame(count))
    pd.testing.assert_frame_equal(table.head(3), frame(count).head(3))
    again = write_table(table, tmp_path / "again", rows_per_part=64)
    pd.testing.assert_frame_equal(again.to_pandas(), frame(count))


def test_columns_are_taken_as_from_a_data_frame(tmp_path: Path) -> None:
    table = write_table(frame(5), tmp_path / "t")
    pd.testing.assert_series_equal(table["frames"], frame(5)["frames"])
    pd.testing.assert_frame_equal(table[["rate", "id"]], frame(5)[["rate", "id"]])
    assert [batch.schema.names for batch in table.batches(["rate"], rows=2)] == [["rate"]] * 3
    with pytest.raises(KeyError, match=r"no columns .*'nothing'"):
        table["nothing"]
    with pytest.raises(KeyError, match="nothing"):
        table[["id", "nothing"]]
    assert "5 rows" in table._repr_html_()


def test_a_table_that_fails_while_it_is_written_leaves_the_old_one(tmp_path: Path) -> None:
    write_table(frame(3), tmp_path / "t")

    def batches() -> Iterator[pa.RecordBatch]:
        yield from as_table(frame(7)).batches()
        raise InputError("in the middle")

    with pytest.raises(InputError, match="in the middle"):
        write_table(LazyTable(as_table(frame(7)).schema, batches), tmp_path / "t")
    assert len(PartitionedTable(tmp_path / "t")) == 3
    assert [path.name for path in tmp_path.iterdir()] == ["t"]


def test_a_longer_table_is_replaced_by_a_shorter_one(tmp_path: Path) -> None:
    write_table(frame(30), tmp_path / "t", rows_per_part=10)
    assert len(write_table(frame(5), tmp_path / "t", rows_per_part=10).parts) == 1


def test_a_table_of_one_file_is_replaced(tmp_path: Path) -> None:
    frame(3).to_parquet(tmp_path / "t.parquet")
    assert len(write_table(frame(5), tmp_path / "t.parquet")) == 5


def test_missing_and_damaged_tables(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no table"):
        len(PartitionedTable(tmp_path))
    table = write_table(frame(3), tmp_path / "t")
    table.parts[0].write_bytes(b"PAR1 is all that is left")
    with pytest.raises(InputError, match=r"part-00000\.parquet is damaged"):
        len(PartitionedTable(tmp_path / "t"))


def test_single_values_are_read_in_any_order(tmp_path: Path) -> None:
    table = write_table(pieces(frame(250), 30), tmp_path / "t", rows_per_part=100)
    reader = ColumnReader(table, "frames")
    rows = [0, 29, 30, 99, 100, 249, 3, 100, 101]
    assert [reader[row] for row in rows] == [None if row % 3 else row for row in rows]
    for row in (-1, 250):
        with pytest.raises(IndexError):
            reader[row]


def test_text_is_joined_row_by_row() -> None:
    columns = pa.array(["a", "bb"]), pa.array(["x", None], pa.large_string())
    assert joined_text(columns[0], "/", columns[1], ".mp4").to_pylist() == ["a/x.mp4", None]


IDS = st.sets(st.integers(0, 60), max_size=40)


def pieces(table: pd.DataFrame, rows: int) -> LazyTable:
    whole = pa.Table.from_pandas(table, preserve_index=False)
    return LazyTable(whole.schema, lambda: whole.to_batches(max_chunksize=rows))


@given(IDS, IDS, st.integers(1, 9), st.integers(1, 9))
def test_join_equals_that_of_pandas(left: set[int], right: set[int], left_rows: int, right_rows: int) -> None:
    first = pd.DataFrame({"id": [f"{n:02}" for n in sorted(left)], "x": sorted(left)})
    second = pd.DataFrame(
        {"id": [f"{n:02}" for n in sorted(right)], "x": -1, "y": [n * 2.5 for n in sorted(right)]}
    )
    first, second = (table.astype({"id": "string"}) for table in (first, second))
    batches = list(left_join(pieces(first, left_rows), pieces(second, right_rows)))
    expected = first.merge(second.drop(columns="x"), on="id", how="left")
    found = pd.concat([batch.to_pandas() for batch in batches]) if batches else expected.head(0)
    assert found["id"].tolist() == expected["id"].tolist()
    assert found["x"].tolist() == expected["x"].tolist()
    assert found["y"].fillna(-1).tolist() == expected["y"].fillna(-1).tolist()


@pytest.mark.parametrize(("ids", "wrong"), [(["a", "c", "b"], "'b'"), (["a", "a"], "'a'")])
@pytest.mark.parametrize("rows", [1, 10])
@pytest.mark.parametrize("side", ["left", "right"])
def test_join_of_unsorted_tables_is_refused(ids: list[str], wrong: str, rows: int, side: str) -> None:
    bad = pieces(pd.DataFrame({"id": ids}), rows)
    good = pieces(pd.DataFrame({"id": ["a", "b", "z"]}), rows)
    tables = (bad, good) if side == "left" else (good, bad)
    with pytest.raises(InputError, match=f"{side} table: the id {wrong} comes twice or out of order"):
        list(left_join(*tables))


def test_schemas_bring_the_types_of_pandas_back() -> None:
    empty = schema_of(COLUMNS).empty_table().to_pandas()
    assert {name: str(kind) for name, kind in empty.dtypes.items()} == COLUMNS
