"""The manifest: one row per item, as a parquet file with a stamp that says which job it belongs to."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from vidrep_pipelines.common.atomic import atomic_file
from vidrep_pipelines.fanout.errors import FanOutError
from vidrep_pipelines.fanout.journal import Row

FIXED = pa.schema(
    [
        ("id", pa.string()),
        ("status", pa.string()),
        ("error", pa.string()),
        ("seconds", pa.float64()),
        ("bytes", pa.int64()),
        ("digest", pa.string()),
        ("attempts", pa.int64()),
    ]
)
"""Columns that every manifest has; the facts follow."""

_STAMP = b"vidrep_pipelines.job"
_ROWS_AT_ONCE = 50_000


@dataclass(frozen=True, slots=True)
class Stamp:
    """What the manifest says about its job.

    Attributes:
        job: Name of the job.
        suffixes: Endings of the products.
        digest: Digest of the ids and item digests of the job.
        items: How many items the job has.
        complete: False while a run is under way (or was killed), or when too many items failed.
    """

    job: str
    suffixes: tuple[str, ...]
    digest: str
    items: int
    complete: bool


def write_manifest(path: Path, table: pa.Table, stamp: Stamp) -> None:
    """Writes the manifest atomically."""
    metadata = {**(table.schema.metadata or {}), _STAMP: json.dumps(asdict(stamp)).encode()}
    with atomic_file(path) as temporary:
        pq.write_table(table.replace_schema_metadata(metadata), temporary, compression="zstd")


def read_stamp(path: Path) -> Stamp | None:
    """The stamp alone, without reading any row; none when there is no manifest.

    Raises:
        FanOutError: The file is not a manifest.
    """
    if not path.is_file():
        return None
    try:
        fields = json.loads(pq.read_schema(path).metadata[_STAMP])
        return Stamp(**{**fields, "suffixes": tuple(fields["suffixes"])})
    except (pa.ArrowException, OSError, KeyError, TypeError, ValueError) as error:
        raise _damaged(path, error) from error


def read_manifest(path: Path) -> pa.Table:
    """All rows; none when there is no manifest.

    Raises:
        FanOutError: The file is not a manifest.
    """
    if not path.is_file():
        return FIXED.empty_table()
    try:
        return pq.read_table(path).replace_schema_metadata(None)
    except (pa.ArrowException, OSError) as error:
        raise _damaged(path, error) from error


def rows_to_table(rows: Iterable[Row]) -> pa.Table:
    """Journal rows as a table, converted piece by piece so that only a piece is held as Python objects."""
    return concatenate([FIXED.empty_table(), *(_piece(piece) for piece in _pieces(iter(rows)))])


def concatenate(tables: Iterable[pa.Table]) -> pa.Table:
    """One table below the other. Missing facts become null; a fact that changes its type becomes text."""
    tables = list(tables)
    target = pa.schema([(name, _common_type(types)) for name, types in _types(tables).items()])
    return pa.concat_tables([_cast(table, target) for table in tables])


def _damaged(path: Path, error: Exception) -> FanOutError:
    return FanOutError(
        f"{path} is damaged ({error}). Remedy: delete this file; the items will be done again."
    )


def _pieces(rows: Iterator[Row]) -> Iterator[list[Row]]:
    while piece := list(islice(rows, _ROWS_AT_ONCE)):
        yield piece


def _piece(rows: list[Row]) -> pa.Table:
    fixed = {field.name: pa.array([row[field.name] for row in rows], field.type) for field in FIXED}
    names = dict.fromkeys(name for row in rows for name in row["facts"])
    facts = {name: _column([row["facts"].get(name) for row in rows]) for name in names}
    return pa.table({**fixed, **facts})


def _column(values: list[Any]) -> pa.Array:
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return pa.array([None if value is None else str(value) for value in values], pa.string())


def _types(tables: Iterable[pa.Table]) -> dict[str, set[pa.DataType]]:
    types: dict[str, set[pa.DataType]] = {}
    for table in tables:
        for field in table.schema:
            types.setdefault(field.name, set()).add(field.type)
    return types


def _common_type(types: set[pa.DataType]) -> pa.DataType:
    schemas = [pa.schema([("fact", kind)]) for kind in types]
    try:
        return pa.unify_schemas(schemas, promote_options="permissive").field("fact").type
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return pa.string()


def _cast(table: pa.Table, target: pa.Schema) -> pa.Table:
    columns = [
        table[field.name].cast(field.type)
        if field.name in table.column_names
        else pa.nulls(len(table), field.type)
        for field in target
    ]
    return pa.table(columns, schema=target)
