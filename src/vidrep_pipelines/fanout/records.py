"""What is known about a job's items: where each row lies, and the few numbers that planning needs.

The rows themselves stay on disk, in manifests and journals; forty bytes of each are held in memory.
"""

import mmap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from vidrep_pipelines.fanout.bookkeeping import Bookkeeping
from vidrep_pipelines.fanout.item_table import Keys, Positions, keys_of
from vidrep_pipelines.fanout.journal import journal_files, parse_line, read_journal
from vidrep_pipelines.fanout.manifest import (
    FIXED,
    conform_manifest,
    damaged,
    manifest_files,
    manifest_schema,
    rows_to_table,
)

_JOURNAL_ROWS_AT_ONCE = 20_000
_MANIFEST_ROWS_AT_ONCE = 100_000
_KEYS_AT_ONCE = 1_000_000
_NEEDED = ["id", "digest", "status", "bytes", "error"]


@dataclass(frozen=True, slots=True)
class Source:
    """A file with rows.

    Attributes:
        path: A journal, or a parquet file of a manifest.
        types: The types of its facts.
    """

    path: Path
    types: dict[str, pa.DataType]

    def rows(self, places: Positions, schema: pa.Schema) -> pa.Table:
        """The rows at these places (first bytes of lines, or row numbers), in that order."""
        if self.path.suffix == ".jsonl":
            return _journal_rows(self.path, places, schema)
        return conform_manifest(_manifest_rows(self.path, places), schema)


@dataclass(frozen=True, slots=True)
class Records:
    """Known rows, R of them: those of manifests before those of journals.

    Attributes:
        keys: Hash of the id, (R,).
        digests: Hash of the item digest, (R,).
        ok: Whether the item succeeded, (R,).
        partial: Whether it did, but its products lack something, (R,).
        sizes: Bytes of its products, (R,).
        source: Which source has the row, (R,).
        place: Where in the source, (R,).
        shape: Which of ``shapes`` the row's facts have, (R,).
        sources: The files.
        shapes: Names of facts that occur together.
    """

    keys: Keys
    digests: Keys
    ok: NDArray[np.bool_]
    partial: NDArray[np.bool_]
    sizes: NDArray[np.int64]
    source: NDArray[np.int32]
    place: Positions
    shape: NDArray[np.int32]
    sources: list[Source]
    shapes: list[tuple[str, ...]]

    def last(self, wanted: Keys, ok: bool) -> Positions:
        """The number of each wanted key's last row with that outcome, or -1, in the shape of ``wanted``."""
        candidates = np.flatnonzero(self.ok == ok)
        if not len(candidates):
            return np.full(len(wanted), -1)
        candidates = candidates[np.argsort(self.keys[candidates], kind="stable")]
        ordered = self.keys[candidates]
        rows = np.full(len(wanted), -1)
        for start in range(0, len(wanted), _KEYS_AT_ONCE):
            piece = wanted[start : start + _KEYS_AT_ONCE]
            places = np.maximum(np.searchsorted(ordered, piece, side="right") - 1, 0)
            rows[start : start + _KEYS_AT_ONCE] = np.where(ordered[places] == piece, candidates[places], -1)
        return rows

    def schema(self, rows: Positions) -> pa.Schema:
        """The schema for these rows. It depends on their content and order, not on which file has them."""
        shapes, first = np.unique(self.shape[rows], return_index=True)
        names = dict.fromkeys(name for number in shapes[np.argsort(first)] for name in self.shapes[number])
        return manifest_schema(names, [self.sources[number].types for number in np.unique(self.source[rows])])

    def tables(self, rows: Positions, rows_at_once: int) -> Iterator[pa.Table]:
        """These rows as tables of bounded length; one empty table when there are none."""
        schema = self.schema(rows)
        for start in range(0, max(len(rows), 1), rows_at_once):
            yield self._table(rows[start : start + rows_at_once], schema)

    def _table(self, rows: Positions, schema: pa.Schema) -> pa.Table:
        groups = list(_groups(self.source[rows]))
        tables = [self.sources[number].rows(self.place[rows[mine]], schema) for number, mine in groups]
        return _in_order([schema.empty_table(), *tables], [mine for _, mine in groups])


def read_records(books: Iterable[Bookkeeping], hash_key: str) -> Records:
    """Everything that manifests and journals say.

    Raises:
        FanOutError: A manifest is damaged.
    """
    books = list(books)
    reading = _Reading(hash_key)
    for part in (part for book in books for part in manifest_files(book.manifest)):
        reading.add_manifest(part)
    for journal in (journal for book in books for journal in journal_files(book.journals)):
        reading.add_journal(journal)
    return reading.records()


@dataclass
class _Reading:
    hash_key: str
    sources: list[Source] = field(default_factory=list)
    shapes: dict[tuple[str, ...], int] = field(default_factory=dict)
    blocks: list[tuple[NDArray[np.generic], ...]] = field(default_factory=list)

    def add_manifest(self, path: Path) -> None:
        try:
            with pq.ParquetFile(path) as file:
                facts = {name.name: name.type for name in file.schema_arrow if name.name not in FIXED.names}
                self.sources.append(Source(path, facts))
                shape, start = self._shape(tuple(facts)), 0
                for batch in file.iter_batches(_MANIFEST_ROWS_AT_ONCE, columns=_NEEDED):
                    self._add(batch, np.arange(start, start + len(batch)), np.full(len(batch), shape))
                    start += len(batch)
        except (pa.ArrowException, OSError, KeyError) as error:
            raise damaged(path, error) from error

    def add_journal(self, path: Path) -> None:
        types: list[dict[str, pa.DataType]] = []
        self.sources.append(Source(path, {}))
        rows = read_journal(path)
        while piece := list(islice(rows, _JOURNAL_ROWS_AT_ONCE)):
            table = rows_to_table(row for _, row in piece)
            types.append({name.name: name.type for name in table.schema if name.name not in FIXED.names})
            places = np.array([place for place, _ in piece])
            self._add(table, places, np.array([self._shape(tuple(row["facts"])) for _, row in piece]))
        names = dict.fromkeys(name for kinds in types for name in kinds)
        schema = manifest_schema(names, types)
        self.sources[-1] = Source(path, {name: schema.field(name).type for name in names})

    def records(self) -> Records:
        """The blocks end to end."""
        empty = (np.empty(0, np.uint64),) * 2 + (np.empty(0, bool),) * 2 + (np.empty(0, np.int64),)
        self.blocks.append((*empty, np.empty(0, np.int32), np.empty(0, np.int64), np.empty(0, np.int32)))
        lists = [list(column) for column in zip(*self.blocks, strict=True)]
        self.blocks.clear()
        columns: list[Any] = []
        while lists:  # each column's pieces are freed before the next column is made
            columns.append(np.concatenate(lists.pop(0)))
        keys, digests, ok, partial, sizes, source, place, shape = columns
        pa.default_memory_pool().release_unused()
        return Records(
            keys,
            digests,
            ok,
            partial,
            sizes,
            source,
            place,
            shape,
            sources=self.sources,
            shapes=list(self.shapes),
        )

    def _shape(self, names: tuple[str, ...]) -> int:
        return self.shapes.setdefault(names, len(self.shapes))

    def _add(self, rows: pa.Table | pa.RecordBatch, places: Positions, shapes: Positions) -> None:
        ids, digests, status, sizes, errors = (rows.column(name) for name in _NEEDED)
        source = np.full(len(places), len(self.sources) - 1, np.int32)
        numbers = (sizes.to_numpy(zero_copy_only=False) if isinstance(sizes, pa.Array) else sizes.to_numpy(),)
        ok = np.asarray(pc.equal(status, "ok"), dtype=bool)
        keys = (keys_of(ids, self.hash_key), keys_of(digests, self.hash_key))
        partial = ok & np.asarray(pc.is_valid(errors), dtype=bool)
        self.blocks.append((*keys, ok, partial, *numbers, source, places, shapes.astype(np.int32)))


def _journal_rows(path: Path, places: Positions, schema: pa.Schema) -> pa.Table:
    tables = [schema.empty_table()]
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        for start in range(0, len(places), _JOURNAL_ROWS_AT_ONCE):
            piece = places[start : start + _JOURNAL_ROWS_AT_ONCE].tolist()
            rows = (parse_line(data[place : data.find(b"\n", place) + 1]) for place in piece)
            tables.append(rows_to_table([row for row in rows if row is not None], schema))
    return pa.concat_tables(tables)


def _manifest_rows(path: Path, places: Positions) -> pa.Table:
    """Reads only the row groups that are touched."""
    with pq.ParquetFile(path) as file:
        counts = [file.metadata.row_group(number).num_rows for number in range(file.num_row_groups)]
        starts = np.concatenate([[0], np.cumsum(counts)])
        groups = list(_groups(np.searchsorted(starts, places, side="right") - 1))
        tables = [
            file.read_row_group(number).take(pa.array(places[mine] - starts[number]))
            for number, mine in groups
        ]
        return _in_order([file.schema_arrow.empty_table(), *tables], [mine for _, mine in groups])


def _groups(labels: NDArray[np.integer]) -> Iterator[tuple[int, Positions]]:
    """Each label that occurs, ascending, with its positions."""
    order = np.argsort(labels, kind="stable")
    edges = np.flatnonzero(np.diff(labels[order])) + 1
    for mine in np.split(order, edges) if len(order) else []:
        yield int(labels[mine[0]]), mine


def _in_order(tables: Sequence[pa.Table], positions: Sequence[Positions]) -> pa.Table:
    """Tables below one another, with the rows moved to the given positions."""
    whole = pa.concat_tables(tables)
    order = np.concatenate([np.empty(0, np.int64), *positions])
    if np.array_equal(order, np.arange(len(order))):
        return whole
    return whole.take(pa.array(np.argsort(order)))
