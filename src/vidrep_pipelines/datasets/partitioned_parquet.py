"""The dataset of long tables."""

from kedro_datasets._typing import TablePreview

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.tables.partitioned_table import PartitionedTable, write_table
from vidrep_pipelines.data.tables.table import Rows
from vidrep_pipelines.datasets.local import LocalDataset, table_preview


class PartitionedParquet(LocalDataset[Rows, PartitionedTable]):
    """A table as a folder of parquet files of a million rows each; ``pandas.read_parquet`` reads the folder.

    Data frames are saved as well as tables that are computed while they are written. Loading gives a handle,
    which reads the columns and rows that are asked for.
    """

    def save(self, data: Rows) -> None:
        """Writes all rows; the older table is replaced as a whole or not at all."""
        write_table(data, self._path)

    def load(self) -> PartitionedTable:
        """The handle."""
        return PartitionedTable(self._require())

    def _exists(self) -> bool:
        return self._path.is_dir()

    def preview(self, rows: int = 20) -> TablePreview:
        """The first rows; reads no more than these."""
        try:
            return table_preview(PartitionedTable(self._path).head(rows))
        except InputError:
            return TablePreview({})
