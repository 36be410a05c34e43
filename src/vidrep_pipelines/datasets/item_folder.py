"""Read-only datasets of many files below a folder, one per item."""

import os
from abc import abstractmethod
from pathlib import Path
from typing import Any, ClassVar, Never, TypeVar

import pandas as pd
from kedro_datasets._typing import TablePreview

from vidrep_pipelines.datasets.local import LocalDataset, folder_is_ready, item_ids, table_preview

Handle = TypeVar("Handle")


class ItemFolder(LocalDataset[Never, Handle]):
    """Files with one ending below a folder, at any depth; those that a fan-out job finished, if one fills it.

    Args:
        filepath: The folder.
        suffix: Ending of the files. None: the usual one of the class.
        metadata: Notes for Kedro-Viz.
    """

    usual_suffix: ClassVar[str]

    def __init__(
        self,
        *,
        filepath: str | os.PathLike[str],
        suffix: str | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(filepath=filepath, metadata=metadata)
        self._suffix = self.usual_suffix if suffix is None else suffix

    @abstractmethod
    def _handle(self, folder: Path, ids: list[str], suffix: str) -> Handle:
        """The handle that the class hands out; it opens no file yet."""

    def load(self) -> Handle:
        """The handle; lists the folder but opens no file."""
        return self._handle(self._require(), item_ids(self._path, self._suffix), self._suffix)

    def save(self, data: Never) -> None:
        """Not possible.

        Raises:
            DatasetError: Always.
        """
        raise self._refuse_to_save()

    def _describe(self) -> dict[str, Any]:
        return {**super()._describe(), "suffix": self._suffix}

    def _exists(self) -> bool:
        return folder_is_ready(self._path)

    def preview(self, rows: int = 20) -> TablePreview:
        """The first ids."""
        if not self._exists():
            return TablePreview({})
        return table_preview(pd.DataFrame({"id": item_ids(self._path, self._suffix)[:rows]}))
