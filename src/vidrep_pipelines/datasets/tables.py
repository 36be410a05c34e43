"""Tables and plain data that are replaced as a whole or not at all.

Kedro's own parquet and JSON datasets write into the final file: a run killed at that moment leaves a torn
one, which exists and is then taken for the result.
"""

import json
import logging
import os
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from kedro.io import DatasetError
from kedro_datasets._typing import JSONPreview, TablePreview

from vidrep_pipelines.common.atomic import ReadOnlyError, atomic_file
from vidrep_pipelines.common.digest import plain
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.datasets.local import LocalDataset, json_preview, table_preview

_log = logging.getLogger(__name__)


def _damaged(path: Path, error: Exception) -> InputError:
    return InputError(
        f"{path} is damaged ({error}). Remedy: delete it and run the pipeline that makes it again."
    )


class AtomicParquet(LocalDataset[pd.DataFrame, pd.DataFrame]):
    """A data frame as a parquet file."""

    def save(self, data: pd.DataFrame) -> None:
        """Writes the table; the index is kept only if it has a name."""
        with atomic_file(self._path) as temporary:
            data.to_parquet(temporary, index=data.index.name is not None, compression="zstd")

    def load(self) -> pd.DataFrame:
        """Reads the table.

        Raises:
            InputError: The file is damaged.
        """
        path = self._require()
        try:
            return pd.read_parquet(path)
        except (pa.ArrowException, OSError) as error:
            raise _damaged(path, error) from error

    def preview(self, rows: int = 20) -> TablePreview:
        """The first rows; reads no more than these."""
        try:
            batches = pq.ParquetFile(self._path).iter_batches(batch_size=rows)
            return table_preview(next(batches).to_pandas())
        except (OSError, pa.ArrowException, StopIteration):
            return TablePreview({})


class AtomicJson(LocalDataset[Any, Any]):
    """Plain data (and configs, dataclasses, paths and NumPy scalars, which become plain) as a JSON file.

    Args:
        filepath: The file.
        of_run: It says how a run went (trained, resumed, found up to date) and decides nothing: where it
            cannot be written, that is a warning and the former one stays.
        metadata: Notes for Kedro-Viz.
    """

    def __init__(
        self,
        *,
        filepath: str | os.PathLike[str],
        of_run: bool = False,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(filepath=filepath, metadata=metadata)
        self._of_run = of_run

    def save(self, data: Any) -> None:
        """Writes the data, indented, in its own order."""
        text = json.dumps(plain(data), indent=2, ensure_ascii=False) + "\n"
        try:
            with atomic_file(self._path) as temporary:
                temporary.write_text(text, encoding="utf-8")
        except ReadOnlyError as error:
            if not (self._of_run and self._exists()):
                raise
            _log.warning("%s", error)

    def _describe(self) -> dict[str, Any]:
        return {**super()._describe(), "of_run": self._of_run}

    def load(self) -> Any:
        """Reads the data.

        Raises:
            InputError: The file is damaged.
        """
        path = self._require()
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise _damaged(path, error) from error

    def preview(self) -> JSONPreview:
        """All of it."""
        try:
            return json_preview(self.load())
        except (DatasetError, InputError):
            return JSONPreview("{}")
