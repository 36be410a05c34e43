"""Columns of Parquet files from elsewhere, batch by batch, and never more than was announced."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.common.foreign_file import disguise_of

MOST_ROWS = 20_000_000
"""Rows of a file; at 30 frames a second a week of recording. A few bytes can describe any number."""

MOST_NUMBERS = 4096
"""Numbers in a row of one column."""

_LARGEST_GROWTH = 200
_ALWAYS_ALLOWED = 1 << 28
_REMEDY = "Remedy: download it again."


class ForeignColumns:
    """Some columns of a Parquet file.

    Args:
        path: The file.
        names: The columns; one that is not there is left out.
        numbers: Most numbers in a row of a column that holds lists of them.

    Attributes:
        path: The file.
        names: Those of the columns that are there.

    Raises:
        InputError: It is no Parquet file, or its columns would take far more room than the file could
            honestly need.
    """

    def __init__(self, path: Path, names: Sequence[str], numbers: int = MOST_NUMBERS) -> None:
        self.path = path
        if not path.is_file():
            raise InputError(f"{path} is missing. Remedy: download all of the data set.")
        if disguise := disguise_of(path):
            raise InputError(f"{path} cannot be read: {disguise}")
        with self._reading(), pq.ParquetFile(path) as file:
            present = set(file.schema_arrow.names)
            self.names = [name for name in names if name in present]
            self._groups = self._checked(file.metadata, numbers)

    def batches(self, rows: int, among: tuple[str, int] | None = None) -> Iterator[pa.RecordBatch]:
        """The rows in their order.

        Args:
            rows: Most rows of a batch.
            among: Name of a column of whole numbers and one of them: groups of rows that cannot have it,
                by what the file says about them, are not read.

        Raises:
            InputError: The file is damaged.
        """
        with self._reading(), pq.ParquetFile(self.path) as file:
            groups = [group for group in range(self._groups) if _may_have(file.metadata, group, among)]
            # A name with dots also selects the columns below it, which are left out again.
            for batch in file.iter_batches(rows, row_groups=groups, columns=self.names):
                yield batch.select(self.names)

    def _checked(self, facts: Any, numbers: int) -> int:
        limit = max(_ALWAYS_ALLOWED, _LARGEST_GROWTH * self.path.stat().st_size)
        if facts.num_rows > MOST_ROWS:
            raise ValueError(f"it has {facts.num_rows} rows, too many to be meant")
        for group in range(facts.num_row_groups):
            part = facts.row_group(group)
            columns = [part.column(place) for place in range(part.num_columns)]
            own = [column for column in columns if _is_in(column.path_in_schema, self.names)]
            if any(column.num_values > numbers * max(part.num_rows, 1) for column in own):
                raise ValueError(f"a row of it has more than {numbers} numbers")
            if sum(column.total_uncompressed_size for column in own) > limit:
                raise ValueError(f"it would unpack to more than {limit} bytes")
        return int(facts.num_row_groups)

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except InputError:
            raise
        except (pa.ArrowException, OSError, ValueError, KeyError, TypeError, OverflowError) as error:
            reason = str(error).partition("\n")[0] or type(error).__name__
            raise InputError(f"{self.path} is no readable table ({reason}). {_REMEDY}") from error


def read_rows(path: Path, names: Sequence[str], what: str) -> list[dict[str, Any]]:
    """All rows of a short table.

    Args:
        path: The file.
        names: Its columns, all of which have to be there.
        what: What the error calls the table.

    Raises:
        InputError: The file cannot be read, or lacks a column.
    """
    columns = ForeignColumns(path, names)
    if missing := [name for name in names if name not in columns.names]:
        raise InputError(f"{path} lacks the columns {', '.join(missing)} of {what}. {_REMEDY}")
    return [row for batch in columns.batches(1024) for row in batch.to_pylist()]


def column_names(path: Path) -> list[str]:
    """Names of all columns.

    Raises:
        InputError: The file cannot be read.
    """
    ForeignColumns(path, ())
    return list(pq.read_schema(path).names)


def number_column(values: pa.Array, name: str, what: str) -> NDArray[np.generic]:
    """(T, N) numbers of lists that are equally long; (T, 1) where there is one number in a row.

    Args:
        values: The column's part of a batch.
        name: The column.
        what: Where it is from, for the error.

    Raises:
        InputError: It holds no numbers, or fewer or more in some rows, or a row is empty.
    """
    rows = len(values)
    nested = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    if any(is_kind(values.type) for is_kind in nested):
        if values.null_count:
            raise InputError(f"{what}: {name} is empty in some rows. {_REMEDY}")
        lengths = np.asarray(values.value_lengths())
        if len(lengths) and lengths.min() != lengths.max():
            raise InputError(
                f"{what}: {name} has {lengths.min()} to {lengths.max()} numbers in a row. Remedy: choose a "
                "column of one width."
            )
        values = values.flatten()
    kinds = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean)
    if not any(is_kind(values.type) for is_kind in kinds) or values.null_count:
        raise InputError(f"{what}: {name} is {values.type} or has gaps, where numbers are expected.")
    return values.to_numpy(zero_copy_only=False).reshape(rows, -1 if rows else 0)


def _is_in(path: str, names: Sequence[str]) -> bool:
    return any(path == name or path.startswith(f"{name}.") for name in names)


def _may_have(facts: Any, group: int, among: tuple[str, int] | None) -> bool:
    if among is None:
        return True
    name, number = among
    part = facts.row_group(group)
    columns = (part.column(place) for place in range(part.num_columns))
    column = next((column for column in columns if column.path_in_schema == name), None)
    known = None if column is None else column.statistics
    if known is None or not known.has_min_max or not isinstance(known.min, int):
        return True
    return bool(known.min <= number <= known.max)
