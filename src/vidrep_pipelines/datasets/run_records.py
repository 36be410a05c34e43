"""Results of many runs side by side."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
from kedro.io import DatasetError
from kedro_datasets._typing import TablePreview

from vidrep_pipelines.common.atomic import atomic_file
from vidrep_pipelines.common.digest import plain
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.files.foreign_listing import list_files
from vidrep_pipelines.datasets.local import LocalDataset, table_preview

RUN = "run"
_SUFFIX = ".json"


class RunRecords(LocalDataset[dict[str, Any], pd.DataFrame]):
    """A folder with one JSON file per run: saving adds a run or replaces its record, loading gives all.

    A record is flat and names its run under ``run``.
    """

    def save(self, data: dict[str, Any]) -> None:
        """Writes the record of one run; those of others stay."""
        name = str(data.get(RUN, ""))
        if not name.replace("-", "").replace("_", "").isalnum():
            raise DatasetError(f"{self._path}: a record needs the name of its run, not {name!r}.")
        with atomic_file(self._path / f"{name}{_SUFFIX}") as temporary:
            temporary.write_text(json.dumps(plain(data), indent=2) + "\n", encoding="utf-8")

    def load(self) -> pd.DataFrame:
        """One row per run, sorted by name."""
        return pd.DataFrame([self._read(path) for path in list_files(self._require(), (_SUFFIX,))])

    def _read(self, path: Path) -> dict[str, Any]:
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            if not isinstance(record, dict):
                raise ValueError("it holds no record")
        except ValueError as error:
            raise InputError(f"{path} is damaged ({error}). Remedy: delete it.") from error
        return record

    def _exists(self) -> bool:
        return bool(list_files(self._path, (_SUFFIX,)))

    def preview(self, rows: int = 20) -> TablePreview:
        """The first runs."""
        try:
            return table_preview(self.load().head(rows))
        except (DatasetError, InputError):
            return TablePreview({})
