"""Between tables of videos and jobs: rows become items, and what became of them becomes rows."""

from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa

from vidrep_pipelines.data.tables.partitioned_table import ColumnReader, PartitionedTable
from vidrep_pipelines.data.tables.table import Rows, Table, as_table
from vidrep_pipelines.fanout.bookkeeping import Bookkeeping
from vidrep_pipelines.fanout.item_table import ItemTable, row_digests
from vidrep_pipelines.fanout.parts import Parts


def video_items(videos: Rows, payload: Callable[[str], Any], *parameters: Any) -> ItemTable:
    """The files of a table as items of a job, at about 100 bytes each: paths stay on the disk.

    Args:
        videos: One row per file: id, path, bytes, mtime_ns, etag.
        payload: Turns a path into what the item's function gets.
        parameters: What else determines the result; the digest covers it and the file's size and version.
    """
    table = as_table(videos)
    paths: ColumnReader | list[str] = (
        ColumnReader(table, "path") if isinstance(table, PartitionedTable) else list(_values(table, "path"))
    )
    return ItemTable.of(
        _texts(table, "id"),
        row_digests(parameters, _values(table, "bytes"), _versions(table)),
        lambda position: payload(paths[position]),
    )


def outcomes(parts: Parts) -> Rows:
    """The manifest of a finished job, to be gone through part by part."""
    manifest = PartitionedTable(Bookkeeping(parts.folder).manifest)
    return manifest if any(manifest.folder.glob("part-*.parquet")) else parts.table


def _texts(table: Table, column: str) -> pa.ChunkedArray:
    pieces = [batch[column].cast(pa.string()) for batch in table.batches([column])]
    return pa.chunked_array(pieces, pa.string())


def _values(table: Table, column: str) -> Iterator[Any]:
    for batch in table.batches([column]):
        yield from batch[column].to_pylist()


def _versions(table: Table) -> Iterator[int | str]:
    """An object store's mark where there is one: the same content may be stored again, with another time."""
    for batch in table.batches(["mtime_ns", "etag"]):
        times, marks = batch["mtime_ns"].to_pylist(), batch["etag"].to_pylist()
        yield from (mark or time for time, mark in zip(times, marks, strict=True))
