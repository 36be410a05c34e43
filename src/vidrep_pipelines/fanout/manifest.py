"""The manifest: one row per item, as a folder of parquet files with a stamp that says which job it is of."""

import json
import logging
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from vidrep_pipelines.common.atomic import atomic_directory, atomic_file
from vidrep_pipelines.fanout.errors import FanOutError
from vidrep_pipelines.fanout.journal import JournalRow

FIXED = pa.schema(
    [
        ("id", pa.string()),
        ("status", pa.string()),
        ("error", pa.string()),
        ("seconds", pa.float64()),
        ("bytes", pa.int64()),
        ("digest", pa.string()),
        ("attempts", pa.int64()),
        ("checksums", pa.string()),
    ]
)
"""Columns that every manifest has; the facts follow."""

_STAMP = "_stamp.json"  # tools that read folders of parquet files pass over names with an underscore
_ROW_GROUP = 100_000
_log = logging.getLogger(__name__)


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


def write_manifest(path: Path, parts: Iterable[pa.Table], stamp: Stamp) -> None:
    """Writes one file per table and replaces the old manifest; whatever happens, one of the two survives."""
    new, previous = _new(path), _previous(path)
    with atomic_directory(new) as temporary:
        for number, part in enumerate(parts):
            target = temporary / f"part-{number:05d}.parquet"
            pq.write_table(part, target, compression="zstd", row_group_size=_ROW_GROUP)
        (temporary / _STAMP).write_text(json.dumps(asdict(stamp)))
    if path.exists():
        path.rename(previous)
    new.rename(path)
    _remove(previous)


def write_stamp(path: Path, stamp: Stamp) -> None:
    """Replaces the stamp and leaves the rows as they are."""
    with atomic_file(path / _STAMP) as temporary:
        temporary.write_text(json.dumps(asdict(stamp)))


def recover_manifest(path: Path) -> None:
    """Finishes or undoes what a writer that was killed had begun; only for the holder of the lock."""
    new, previous = _new(path), _previous(path)
    if not path.exists():
        survivor = new if new.exists() else previous
        if survivor.exists():
            survivor.rename(path)
    leftovers = [new, previous, *path.parent.glob(".*"), *path.glob(".*")]
    for leftover in leftovers:
        _remove(leftover)


def read_stamp(path: Path) -> Stamp | None:
    """The stamp alone, without reading any row; none when there is no manifest.

    Raises:
        FanOutError: The folder is not a manifest.
    """
    try:
        fields = json.loads((path / _STAMP).read_text())
        stamp = Stamp(**{**fields, "suffixes": tuple(fields["suffixes"])})
        if not isinstance(stamp.items, int) or not isinstance(stamp.complete, bool):
            raise TypeError("fields of another kind")
        return stamp
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise damaged(path / _STAMP, error) from error


def find_stamp(path: Path) -> Stamp | None:
    """The stamp; none when there is no manifest, and with a warning when the stamp is damaged.

    The rows do not depend on it: a run that finds it damaged redoes nothing and writes it anew.
    """
    try:
        return read_stamp(path)
    except FanOutError as error:
        _log.warning("%s", error)
        return None


def manifest_files(path: Path) -> list[Path]:
    """The parquet files in the order of their rows."""
    return sorted(path.glob("part-*.parquet"))


def check_manifest(path: Path) -> None:
    """Opens every file, without reading rows.

    Raises:
        FanOutError: A file is damaged.
    """
    for part in manifest_files(path):
        try:
            pq.read_metadata(part)
        except (pa.ArrowException, OSError) as error:
            raise damaged(part, error) from error


def read_manifest(path: Path) -> pa.Table:
    """All rows; none when there is no manifest.

    Raises:
        FanOutError: The folder is not a manifest.
    """
    tables = [FIXED.empty_table()]
    tables += [_read_part(part) for part in manifest_files(path)]
    return pa.concat_tables(tables, promote_options="default")


def _read_part(part: Path, columns: list[str] | None = None) -> pa.Table:
    try:
        return pq.read_table(part, columns=columns, partitioning=None)
    except (pa.ArrowException, OSError) as error:
        raise damaged(part, error) from error


def failed_rows(path: Path) -> pd.DataFrame:
    """``id`` and ``error`` of the failed items, read file by file.

    Raises:
        FanOutError: A file is damaged.
    """
    return _rows_with_errors(path, "failed")


def partial_rows(path: Path) -> pd.DataFrame:
    """``id`` and ``error`` of the items whose products lack something.

    Raises:
        FanOutError: A file is damaged.
    """
    return _rows_with_errors(path, "ok")


def _rows_with_errors(path: Path, status: str) -> pd.DataFrame:
    tables = [pa.table({"id": pa.array([], pa.string()), "error": pa.array([], pa.string())})]
    for part in manifest_files(path):
        rows = _read_part(part, ["id", "error", "status"])
        wanted = pc.and_(pc.equal(rows["status"], status), pc.is_valid(rows["error"]))
        tables.append(rows.filter(wanted).select(["id", "error"]))
    frame: pd.DataFrame = pa.concat_tables(tables).to_pandas()
    return frame


def damaged(path: Path, error: Exception) -> FanOutError:
    """The error for a file that cannot be read."""
    return FanOutError(
        f"{path} is damaged ({error}). Remedy: delete this file; the items will be done again."
    )


def rows_to_table(rows: Iterable[JournalRow], schema: pa.Schema | None = None) -> pa.Table:
    """Journal rows as a table: of this schema, or of the types and the order in which the facts come."""
    rows = list(rows)
    fixed = {field.name: pa.array([row.get(field.name) for row in rows], field.type) for field in FIXED}
    if schema is None:
        names = dict.fromkeys(name for row in rows for name in row["facts"])
        return pa.table(
            {**fixed, **{name: _column([row["facts"].get(name) for row in rows]) for name in names}}
        )
    facts = {
        field.name: _column([row["facts"].get(field.name) for row in rows], field.type)
        for field in schema
        if field.name not in fixed
    }
    return pa.table({**fixed, **facts}, schema=schema)


def conform_manifest(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """The table with the columns of the schema; missing facts become null."""
    columns = [
        table[field.name].cast(field.type)
        if field.name in table.column_names
        else pa.nulls(len(table), field.type)
        for field in schema
    ]
    return pa.table(columns, schema=schema)


def manifest_schema(names: Iterable[str], types: Iterable[Mapping[str, pa.DataType]]) -> pa.Schema:
    """The schema of a manifest with these facts, when its rows come from places with these types.

    A fact that is a whole number here and a fraction there is a fraction; one with other differences is text.
    """
    types = list(types)
    facts = [
        pa.field(name, _common_type({kinds[name] for kinds in types if name in kinds})) for name in names
    ]
    return pa.schema([*FIXED, *facts])


def _common_type(types: set[pa.DataType]) -> pa.DataType:
    if types <= {pa.null(), pa.int64(), pa.float64()} and pa.float64() in types:
        return pa.float64()
    known = types - {pa.null()}
    if len(known) > 1:
        return pa.string()
    return known.pop() if known else pa.null()


def _column(values: list[Any], kind: pa.DataType | None = None) -> pa.Array:
    """Values as an array; text when they have no type in common."""
    if kind == pa.float64():
        values = [None if value is None else float(value) for value in values]
    try:
        return pa.array(values, kind)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return pa.array([None if value is None else str(value) for value in values], pa.string())


def _new(path: Path) -> Path:
    return path.with_name(f"{path.name}.new")


def _previous(path: Path) -> Path:
    return path.with_name(f"{path.name}.previous")


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
