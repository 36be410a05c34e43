"""Tables that describe videos: the index of raw files and the index of resized clips."""

from collections.abc import Iterator, Mapping

import pyarrow as pa
import pyarrow.compute as pc

from vidrep_pipelines.data.tables.table import (
    LazyTable,
    Rows,
    Table,
    conform,
    left_join,
    schema_of,
    sorted_by_id,
)

INDEX_COLUMNS = {
    "id": "string",
    "class_name": "string",
    "path": "string",
    "bytes": "int64",
    "mtime_ns": "int64",
    "etag": "string",
    "width": "Int32",
    "height": "Int32",
    "frames": "Int64",
    "frames_per_second": "Float64",
    "duration_seconds": "Float64",
    "codec": "string",
    "pixel_format": "string",
    "rotation": "Int32",
    "has_audio": "boolean",
    "error": "string",
}
"""Columns of the video index. Where a file could not be opened, ``error`` says why and the rest is empty."""

RESIZED_COLUMNS = {
    "id": "string",
    "class_name": "string",
    "source_path": "string",
    "source_bytes": "int64",
    "status": "string",
    "error": "string",
    "reason": "string",
    "digest": "string",
    "bytes": "Int64",
    "source_width": "Int32",
    "source_height": "Int32",
    "source_frames": "Int64",
    "source_codec": "string",
    "rotation": "Int32",
    "has_audio": "boolean",
    "width": "Int32",
    "height": "Int32",
    "frames": "Int64",
    "frames_per_second": "Float64",
    "duration_seconds": "Float64",
    "keyframe_interval": "Int32",
    "verdict": "string",
    "verdict_detail": "string",
}
"""Columns of the resized index. Where a video could not be resized, ``reason`` is ``error`` without the name
of the file, and everything from ``source_width`` on is empty."""


_SOURCE_NAMES = {"id": "id", "class_name": "class_name", "path": "source_path", "bytes": "source_bytes"}


def build_video_index(listing: Rows, probes: Rows) -> LazyTable:
    """Joins the files found on disk with what opening each of them told.

    Args:
        listing: One row per file, sorted by id: the columns of ``ListedVideo``.
        probes: One row per probed id, sorted by id: the fields of ``VideoFacts`` and ``error``.

    Returns:
        One row per file with the columns and types of ``INDEX_COLUMNS``, sorted by id. Going through it
        raises InputError when one of the tables is not sorted or holds an id twice.
    """
    schema = schema_of(INDEX_COLUMNS)
    files, facts = sorted_by_id(listing), sorted_by_id(probes)
    return LazyTable(schema, lambda: (conform(batch, schema) for batch in left_join(files, facts)))


def build_resized_index(index: Rows, resized: Rows) -> LazyTable:
    """Joins the video index with the outcome of resizing: one row per raw video, kept or not.

    Args:
        index: The video index, sorted by id.
        resized: The manifest of the resize job, sorted by id: id, status, error, digest and the facts of
            each clip.

    Returns:
        One row per video of the index, sorted by id, with the columns and types of ``RESIZED_COLUMNS``, also
        when no video could be resized and the manifest therefore has no facts. ``status`` is ``ok``,
        ``failed``, or ``missing`` for a video that the job does not know. Going through it raises InputError
        when one of the tables is not sorted or holds an id twice.
    """
    raw, outcomes = sorted_by_id(index), sorted_by_id(resized)
    return LazyTable(schema_of(RESIZED_COLUMNS), lambda: _resized_batches(raw, outcomes))


def _resized_batches(index: Table, resized: Table) -> Iterator[pa.RecordBatch]:
    schema = schema_of(RESIZED_COLUMNS)
    for batch in left_join(_renamed(index, _SOURCE_NAMES), resized):
        row = conform(batch, schema)
        derived = {
            "status": pc.fill_null(row["status"], "missing"),
            "reason": _without_path(row["error"], row["source_path"]),
        }
        columns = [derived.get(field.name, row[field.name]) for field in schema]
        yield pa.RecordBatch.from_arrays(columns, schema=schema)


def _renamed(table: Table, names: Mapping[str, str]) -> LazyTable:
    """These columns alone, under their new names."""
    old, new = list(names), list(names.values())
    schema = pa.schema([table.schema.field(name).with_name(names[name]) for name in old])
    return LazyTable(schema, lambda: (batch.rename_columns(new) for batch in table.batches(old)))


def _without_path(errors: pa.Array, paths: pa.Array) -> pa.Array:
    """Errors name the file; as reasons they can be counted only without it. Only failed rows have one."""
    failed = errors.is_valid()
    named = zip(errors.filter(failed).to_pylist(), paths.filter(failed).to_pylist(), strict=True)
    reasons = pa.array([error.removeprefix(f"{path}: ") for error, path in named], errors.type)
    return pc.replace_with_mask(errors, failed, reasons)
