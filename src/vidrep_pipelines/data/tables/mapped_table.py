"""A table in a file that is mapped into memory: written once, then read row by row by every process."""

from collections.abc import Callable, Iterable
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Self

import pyarrow as pa

from vidrep_pipelines.common.atomic import atomic_file
from vidrep_pipelines.common.errors import InputError


def write_mapped_table(
    path: Path, schema: pa.Schema, batches: Callable[[], Iterable[pa.RecordBatch]]
) -> None:
    """Writes the rows to an Arrow file, not compressed, which pandas reads, too (``pandas.read_feather``).

    A file that holds these rows already is left alone, so that nothing is written for a run that is finished.

    Args:
        path: The file.
        schema: Schema of every batch.
        batches: Gives all rows, each time it is called.
    """
    if not _holds(path, schema, batches):
        with atomic_file(path) as temporary, pa.ipc.new_file(str(temporary), schema) as writer:
            for batch in batches():
                writer.write_batch(batch)


def _holds(path: Path, schema: pa.Schema, batches: Callable[[], Iterable[pa.RecordBatch]]) -> bool:
    """Whether the file holds exactly these rows; it is compared piece by piece."""
    try:
        stored, done = _mapped(path), 0
        stored.validate(full=True)  # comparing damaged offsets would end the process
    except (pa.ArrowException, OSError):
        return False
    for batch in batches():
        rows = pa.Table.from_batches([batch])
        if stored.schema != schema or not stored.slice(done, len(batch)).equals(rows):
            return False
        done += len(batch)
    return done == len(stored) and bool(stored.schema == schema)


def _mapped(path: Path) -> pa.Table:
    return pa.ipc.open_file(pa.memory_map(str(path))).read_all()


class MappedTable:
    """Rows of a file that :func:`write_mapped_table` wrote.

    All processes of a machine share one copy of the file in the system's page cache. A process that receives
    this object gets the path alone and maps the file itself.

    Args:
        path: The file.

    Attributes:
        schema: The columns that the file must have.
        content: What the rows are, for messages.
    """

    schema: ClassVar[pa.Schema]
    content: ClassVar[str]

    def __init__(self, path: Path) -> None:
        self.path = Path(path)

    def __reduce__(self) -> tuple[type[Self], tuple[Path]]:
        return type(self), (self.path,)

    @cached_property
    def table(self) -> pa.Table:
        """All rows; what is not looked at stays in the file.

        Raises:
            InputError: There is no such file, or it holds something else.
        """
        try:
            table = _mapped(self.path)
        except (pa.ArrowException, OSError) as error:
            raise InputError(
                f"{self.path} is no table of {self.content} ({error}). Remedy: run the pretraining pipeline "
                "again, which writes it."
            ) from error
        if missing := set(self.schema.names) - set(table.column_names):
            raise InputError(f"{self.path} is no table of {self.content}: it lacks {sorted(missing)}.")
        if other := [
            field.name for field in self.schema if table.schema.field(field.name).type != field.type
        ]:
            raise InputError(f"{self.path} is no table of {self.content}: {other} are of other types.")
        return table
