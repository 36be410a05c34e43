"""Tables that are mapped into memory."""

import pickle
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.tables.mapped_table import MappedTable, write_mapped_table

SCHEMA = pa.schema([("id", pa.large_string()), ("frames", pa.int64())])


class Videos(MappedTable):
    schema = SCHEMA
    content = "videos"


def batches(*frames: int, at_once: int = 2) -> list[pa.RecordBatch]:
    ids = [f"video {number}" for number in range(len(frames))]
    return pa.table({"id": ids, "frames": list(frames)}).cast(SCHEMA).to_batches(at_once)


def test_rows_are_read_by_whoever_gets_the_path(tmp_path: Path) -> None:
    write_mapped_table(tmp_path / "videos.arrow", SCHEMA, lambda: batches(5, 6, 7))
    rows = Videos(tmp_path / "videos.arrow")
    assert rows.table["frames"].to_pylist() == [5, 6, 7]
    copy = pickle.loads(pickle.dumps(rows))
    assert isinstance(copy, Videos) and copy.table["id"][2].as_py() == "video 2"
    assert pd.read_feather(rows.path)["frames"].sum() == 18


def test_a_file_that_holds_the_rows_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "videos.arrow"
    write_mapped_table(path, SCHEMA, lambda: batches(5, 6, 7))
    inode = path.stat().st_ino
    write_mapped_table(path, SCHEMA, lambda: batches(5, 6, 7, at_once=3))
    assert path.stat().st_ino == inode
    for others in (batches(5, 6), batches(5, 6, 8), batches(5, 6, 7, 8), []):
        written = path.stat().st_ino
        write_mapped_table(path, SCHEMA, lambda rows=others: rows)  # type: ignore[misc]
        assert path.stat().st_ino != written
        assert len(Videos(path).table) == sum(map(len, others))


def test_nothing_is_left_of_rows_that_cannot_be_had(tmp_path: Path) -> None:
    def broken() -> Iterator[pa.RecordBatch]:
        yield from batches(5)
        raise InputError("a row is missing")

    with pytest.raises(InputError, match="a row is missing"):
        write_mapped_table(tmp_path / "videos.arrow", SCHEMA, broken)
    assert list(tmp_path.iterdir()) == []


def test_other_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"absent\.arrow is no table of videos"):
        _ = Videos(tmp_path / "absent.arrow").table
    (tmp_path / "text.arrow").write_text("hello")
    with pytest.raises(InputError, match=r"text\.arrow is no table of videos .*Remedy"):
        _ = Videos(tmp_path / "text.arrow").table
    pd.DataFrame({"id": ["a"]}).to_feather(tmp_path / "other.arrow", compression="uncompressed")
    with pytest.raises(InputError, match=r"lacks \['frames'\]"):
        _ = Videos(tmp_path / "other.arrow").table
    pd.DataFrame({"id": ["a"], "frames": ["b"]}).to_feather(
        tmp_path / "types.arrow", compression="uncompressed"
    )
    with pytest.raises(
        InputError, match=r"types\.arrow is no table of videos: .*'frames'\] are of other types"
    ):
        _ = Videos(tmp_path / "types.arrow").table
