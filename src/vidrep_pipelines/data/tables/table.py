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
