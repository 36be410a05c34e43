"""Joining two long tables that are sorted by id, without holding either of them."""

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from vidrep_pipelines.data.tables.table import ROWS_PER_BATCH, Table, checked_order


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
    found = partners.up_to(piece["id"][-1].as_py())
    ids = found["id"].cast(piece.schema.field("id").type)
    positions = pc.index_in(piece["id"], value_set=ids)
    added = found.drop_columns("id").take(positions)
    columns = [*piece.columns, *(column.combine_chunks() for column in added.columns)]
    return pa.RecordBatch.from_arrays(columns, names=[*piece.schema.names, *added.column_names])


def _pieces(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    for start in range(0, len(batch), ROWS_PER_BATCH):
        yield batch.slice(start, ROWS_PER_BATCH)
