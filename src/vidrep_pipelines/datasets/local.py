"""What the datasets here have in common: a file or folder on a local disk."""

import json
import math
import os
from pathlib import Path
from typing import Any, Generic, TypeVar

import pandas as pd
from kedro.io import AbstractDataset, DatasetError
from kedro.io.core import get_protocol_and_path
from kedro_datasets._typing import JSONPreview, TablePreview

from vidrep_pipelines.common.atomic import recover_directory
from vidrep_pipelines.common.item_id import BOOKKEEPING
from vidrep_pipelines.data.files.foreign_listing import is_hidden
from vidrep_pipelines.fanout.runner import is_complete, load_parts

Saved = TypeVar("Saved")
Loaded = TypeVar("Loaded")


class LocalDataset(AbstractDataset[Saved, Loaded], Generic[Saved, Loaded]):
    """Base class: checks the path, describes itself by it, and exists when the file does.

    Args:
        filepath: File or folder on a local (or mounted) disk.
        metadata: Ignored by Kedro; Kedro-Viz reads layers from it.

    Raises:
        DatasetError: The path is a remote address.
    """

    def __init__(self, *, filepath: str | os.PathLike[str], metadata: dict[str, Any] | None = None) -> None:
        protocol, path = get_protocol_and_path(os.fspath(filepath))
        if protocol != "file":
            raise DatasetError(
                f"{type(self).__name__} needs a path on a local disk, not a {protocol}:// address: its files "
                "are renamed into place and opened by C libraries. Remedy: mount or copy the data."
            )
        self._path = Path(path)
        self.metadata = metadata

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._path.as_posix()}

    def _exists(self) -> bool:
        return self._path.is_file()

    def _require(self) -> Path:
        """The path, if there is something.

        Raises:
            DatasetError: There is nothing.
        """
        recover_directory(self._path)
        if not self._path.exists():
            raise DatasetError(f"{self._path} does not exist. Remedy: run the pipeline that makes it.")
        return self._path

    def _refuse_to_save(self) -> DatasetError:
        return DatasetError(f"{type(self).__name__} only reads; {self._path} is written elsewhere.")


def item_ids(folder: Path, suffix: str) -> list[str]:
    """Ids of the products with this ending: from the job's manifest where there is one, else from a scan.

    Raises:
        FanOutError: The job that fills the folder is not finished.
    """
    if (folder / BOOKKEEPING).is_dir():
        return load_parts(folder).ids
    ids: list[str] = []
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not is_hidden(name)]
        relative = Path(parent).relative_to(folder)
        ids += [
            (relative / name.removesuffix(suffix)).as_posix()
            for name in files
            if name.endswith(suffix) and not is_hidden(name)
        ]
    return sorted(ids)


def folder_is_ready(folder: Path) -> bool:
    """Whether there is a folder that no unfinished job is filling."""
    return is_complete(folder) if (folder / BOOKKEEPING).is_dir() else folder.is_dir()


def json_preview(value: Any) -> JSONPreview:
    """Plain data as Kedro-Viz wants it."""
    return JSONPreview(json.dumps(_finite(value)))


def _finite(value: Any) -> Any:
    """Numbers that are not finite become null: a browser's JSON does not know them."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, list) else value


def table_preview(frame: pd.DataFrame) -> TablePreview:
    """A data frame as Kedro-Viz wants it: plain values, nulls instead of NaN."""
    plain = frame.astype(object).where(frame.notna(), None)
    return TablePreview(plain.reset_index(drop=True).to_dict(orient="split"))
