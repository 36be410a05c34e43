"""Tables too long to be held in memory: a schema, and rows that come batch by batch."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from vidrep_pipelines.common.errors import InputError

ROWS_PER_BATCH = 65_536
"""Rows that are worked on at once: some tens of megabytes."""


class Table(Protocol):
    """Anything with a schema whose rows can be gone through, more than once."""

    @property
    def schema(self) -> pa.Schema:
        """Names and types of the columns."""
        ...

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """Goes through all rows from the first; only these columns, if any are named."""
        ...


Rows = Table | pd.DataFrame
"""What functions on tables take: a table of any length, or a short one as a data frame."""


@dataclass(frozen=True)
class LazyTable:
    """A table that is computed while one goes through it, anew each time.

    Attributes:
        schema: Names and types of the columns.
        source: Starts the computation of all batches.
    """

    schema: pa.Schema
    source: Callable[[], Iterable[pa.RecordBatch]]

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """Computes all rows from the first; hands on only these columns, if any are named."""
        for batch in self.source():
            yield batch if columns is None else batch.select(list(columns))

    def to_pandas(self) -> pd.DataFrame:
        """All of it, with the types that the schema remembers."""
        frame: pd.DataFrame = pa.Table.from_batches(self.source(), self.schema).to_pandas()
        return frame


def schema_of(columns: Mapping[str, str]) -> pa.Schema:
    """The schema of columns given by their pandas types; pandas reads them back with these types."""
    empty = pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in columns.items()})
    return pa.Schema.from_pandas(empty, preserve_index=False)


def as_table(rows: Rows) -> Table:
    """A data frame as a table; a table as it is."""
    if not isinstance(rows, pd.DataFrame):
        return rows
    table = pa.Table.from_pandas(rows, preserve_index=False)
    return LazyTable(table.schema, lambda: table.to_batches(max_chunksize=ROWS_PER_BATCH))


def sorted_by_id(rows: Rows) -> Table:
    """The same rows in ascending order of ``id``: data frames are sorted, tables are so already."""
    return as_table(rows.sort_values("id", ignore_index=True) if isinstance(rows, pd.DataFrame) else rows)


def joined_text(*parts: pa.Array | str) -> pa.Array:
    """Strings row by row one after the other; a plain string is the same in every row."""
    text = pa.large_string()
    kinds = [pa.scalar(part, text) if isinstance(part, str) else part.cast(text) for part in parts]
    return pc.binary_join_element_wise(*kinds, pa.scalar("", text))


def conform(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """The batch with exactly the columns of the schema; absent ones are null."""
    columns = [
        batch[field.name].cast(field.type)
        if field.name in batch.schema.names
        else pa.nulls(len(batch), field.type)
        for field in schema
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def checked_order(batches: Iterable[pa.RecordBatch], name: str) -> Iterator[pa.RecordBatch]:
    """Hands the batches on after a look at their ids.

    Raises:
        InputError: The ids do not ascend, or one comes twice.
    """
    last = None
    for batch in batches:
        ids = batch["id"].cast(pa.large_string())
        if not len(ids):
            continue
        before = pa.concat_arrays([pa.array([last], pa.large_string()), ids[:-1]])
        wrong = np.flatnonzero(pc.greater_equal(before, ids).fill_null(False).to_numpy(zero_copy_only=False))
        if len(wrong):
            raise InputError(
                f"{name}: the id {ids[int(wrong[0])].as_py()!r} comes twice or out of order. Remedy: run the "
                "pipeline that makes this table again."
            )
        last = ids[-1].as_py()
        yield batch


def left_join(left: Table, right: Table) -> Iterator[pa.RecordBatch]:
    """Adds the columns of ``right`` to the rows of ``left``.

    Both go by once, side by side. Rows of ``right`` without a partner are left out; rows of ``left`` without
    one get nulls. Of columns that both have, the one of ``left`` stays.

    Args:
        left: Ascending, unique ``id``.
        right: Ascending, unique ``id``.

    Raises:
        InputError: The ids of one of them are not ascending, or not unique.
    """
    names = ["id", *(name for name in right.schema.names if name not in left.schema.names)]
    partners = _PartnerWindow(right, names)
    for batch in checked_order(left.batches(), "left table"):
        yield from (_joined(piece, partners) for piece in _pieces(batch))


class _PartnerWindow:
    """The part of a sorted table that the current piece of the other one can meet."""

    def __init__(self, table: Table, names: list[str]) -> None:
        self._batches = checked_order(table.batches(names), "right table")
        self._rows = pa.schema([table.schema.field(name) for name in names]).empty_table()

    def up_to(self, last: str) -> pa.Table:
        """Takes out all rows with an id of at most ``last``."""
        while not len(self._rows) or self._rows["id"][-1].as_py() <= last:
            batch = next(self._batches, None)
            if batch is None:
                break
            self._rows = pa.concat_tables([self._rows, pa.Table.from_batches([batch])])
        passed = int(pc.sum(pc.less_equal(self._rows["id"], last)).as_py() or 0)
        taken, self._rows = self._rows[:passed], self._rows[passed:]
        return taken.combine_chunks()


def _joined(piece: pa.RecordBatch, partners: _PartnerWindow) -> pa.RecordBatch:
    rows = partners.up_to(piece["id"][-1].as_py())
    ids = rows["id"].cast(piece.schema.field("id").type)
    positions = pc.index_in(piece["id"], value_set=ids)
    added = rows.drop_columns("id").take(positions)
    columns = [*piece.columns, *(column.combine_chunks() for column in added.columns)]
    return pa.RecordBatch.from_arrays(columns, names=[*piece.schema.names, *added.column_names])


def _pieces(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    for start in range(0, len(batch), ROWS_PER_BATCH):
        yield batch.slice(start, ROWS_PER_BATCH)
