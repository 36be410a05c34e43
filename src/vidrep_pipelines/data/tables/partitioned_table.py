"""A long table on disk: a folder of parquet files, which pandas, pyarrow and others read as one table."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, overload

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from vidrep_pipelines.common.atomic import atomic_directory
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.tables.table import ROWS_PER_BATCH, Rows, as_table

ROWS_PER_PART = 1_000_000


@dataclass(frozen=True)
class PartitionedTable:
    """Handle on the folder. Reads nothing until asked; picklable.

    Long tables are gone through with :meth:`batches`. For short ones the usual expressions of data frames
    work: ``table["id"]``, ``table[["id", "path"]]``, ``table.head()``; each reads just these columns.

    Attributes:
        folder: Where the files ``part-00000.parquet`` and so on are.
    """

    folder: Path

    @cached_property
    def parts(self) -> list[Path]:
        """The files, in order.

        Raises:
            InputError: There is none.
        """
        paths = sorted(self.folder.glob("part-*.parquet"))
        if not paths:
            raise InputError(f"{self.folder} holds no table. Remedy: run the pipeline that makes it.")
        return paths

    @cached_property
    def schema(self) -> pa.Schema:
        """Names and types of the columns."""
        return _opened(self.parts[0]).schema_arrow

    @property
    def columns(self) -> list[str]:
        """Names of the columns."""
        return list(self.schema.names)

    @cached_property
    def _rows(self) -> int:
        return sum(_opened(part).metadata.num_rows for part in self.parts)

    def __len__(self) -> int:
        return self._rows

    @property
    def empty(self) -> bool:
        """Whether there is no row."""
        return not len(self)

    def batches(
        self, columns: Sequence[str] | None = None, rows: int = ROWS_PER_BATCH
    ) -> Iterator[pa.RecordBatch]:
        """Reads all rows, at most so many at a time; only these columns, if any are named."""
        for part in self.parts:
            names = None if columns is None else list(columns)
            yield from _opened(part).iter_batches(batch_size=rows, columns=names)

    def to_pandas(self, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """All rows in memory; of long tables, name the columns that are needed."""
        names = self.columns if columns is None else list(columns)
        fields = [self.schema.field(name) for name in names]
        schema = pa.schema(fields, metadata=self.schema.metadata)
        batches = (batch.select(names) for batch in self.batches(names))
        frame: pd.DataFrame = pa.Table.from_batches(batches, schema).to_pandas()
        return frame

    def head(self, rows: int = 5) -> pd.DataFrame:
        """The first rows; reads no more than these."""
        first = next(self.batches(rows=rows), None)
        table = self.schema.empty_table() if first is None else pa.Table.from_batches([first], self.schema)
        frame: pd.DataFrame = table.to_pandas()
        return frame

    @overload
    def __getitem__(self, columns: str) -> "pd.Series[Any]": ...

    @overload
    def __getitem__(self, columns: list[str]) -> pd.DataFrame: ...

    def __getitem__(self, columns: str | list[str]) -> "pd.Series[Any] | pd.DataFrame":
        missing = {columns} - set(self.columns) if isinstance(columns, str) else {*columns} - {*self.columns}
        if missing:
            raise KeyError(f"{self.folder} has no columns {sorted(missing)}; it has {self.columns}")
        return self.to_pandas([columns])[columns] if isinstance(columns, str) else self.to_pandas(columns)

    def _repr_html_(self) -> str:
        shown: str = self.head(10).to_html()
        return f"{shown}<p>{len(self):,} rows in {self.folder.name}</p>"


class ColumnReader:
    """Single values of a column, by row; holds one row group, so that ascending rows are read but once.

    Args:
        table: The table.
        column: Name of the column.
    """

    def __init__(self, table: PartitionedTable, column: str) -> None:
        self._column, self._held = column, -1
        self._groups: list[tuple[Path, int]] = []
        counts = [0]
        for part in table.parts:
            metadata = _opened(part).metadata
            for group in range(metadata.num_row_groups):
                self._groups.append((part, group))
                counts.append(metadata.row_group(group).num_rows)
        self._starts = np.cumsum(counts)

    def __getitem__(self, row: int) -> Any:
        if not 0 <= row < self._starts[-1]:
            raise IndexError(f"{row} is out of range for {self._starts[-1]} rows")
        number = int(np.searchsorted(self._starts, row, side="right")) - 1
        if number != self._held:
            part, group = self._groups[number]
            self._values = _opened(part).read_row_group(group, columns=[self._column])[self._column]
            self._held = number
        return self._values[row - int(self._starts[number])].as_py()


def write_table(rows: Rows, folder: Path, rows_per_part: int = ROWS_PER_PART) -> PartitionedTable:
    """Writes a table as a folder of parquet files; an older table there is replaced as a whole.

    Args:
        rows: The table; it is gone through once.
        folder: The folder to make.
        rows_per_part: Rows per file.
    """
    table = as_table(rows)
    if folder.is_file():  # a table of one file, as earlier versions wrote it
        folder.unlink()
    with atomic_directory(folder) as temporary:
        for number, pieces in groupby(_cut(table.batches(), rows_per_part), key=itemgetter(0)):
            with _writer(temporary, number, table.schema) as writer:
                for _, piece in pieces:
                    writer.write_batch(piece)
        if not any(temporary.iterdir()):
            _writer(temporary, 0, table.schema).close()
    return PartitionedTable(folder)


def _writer(folder: Path, number: int, schema: pa.Schema) -> pq.ParquetWriter:
    return pq.ParquetWriter(folder / f"part-{number:05d}.parquet", schema, compression="zstd")


def _cut(batches: Iterator[pa.RecordBatch], rows: int) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Pairs of (number of the file, rows that go there)."""
    done = 0
    for batch in batches:
        start = 0
        while start < len(batch):
            piece = batch.slice(start, rows - done % rows)
            yield done // rows, piece
            start, done = start + len(piece), done + len(piece)


def _opened(part: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(part)
    except (pa.ArrowException, OSError) as error:
        raise InputError(
            f"{part} is damaged ({error}). Remedy: run the pipeline that makes this table again."
        ) from error
