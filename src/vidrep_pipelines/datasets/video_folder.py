"""A folder of videos, read by id and frame number."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Never

import pandas as pd
from kedro_datasets._typing import TablePreview

from vidrep_pipelines.datasets.local import LocalDataset, folder_is_ready, item_ids, table_preview

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, eq=False)
class Videos:
    """Handle on a folder of videos. Opens nothing until frames are asked for; picklable.

    Attributes:
        folder: Where they are.
        ids: Their relative paths without the ending.
        suffix: The ending.
    """

    folder: Path
    ids: list[str]
    suffix: str

    def path(self, video_id: str) -> Path:
        """The file of a video."""
        return self.folder / f"{video_id}{self.suffix}"

    def frames(self, video_id: str, ranks: Sequence[int]) -> "np.ndarray[Any, np.dtype[np.uint8]]":
        """Decodes frames.

        Args:
            video_id: One of ``ids``.
            ranks: Positions in presentation order from 0, in any order, repeats allowed.

        Returns:
            (N, H, W, 3), RGB, 0 to 255.
        """
        from vidrep_pipelines.data.video.decode import read_frames

        return read_frames(self.path(video_id), ranks)


class VideoFolder(LocalDataset[Never, Videos]):
    """Videos below a folder, at any depth; when a fan-out job fills the folder, those that it finished.

    Args:
        filepath: The folder.
        suffix: Ending of the videos.
        metadata: For Kedro-Viz.
    """

    def __init__(
        self,
        *,
        filepath: str | os.PathLike[str],
        suffix: str = ".mp4",
        metadata: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(filepath=filepath, metadata=metadata)
        self._suffix = suffix

    def load(self) -> Videos:
        """The handle; lists the folder but opens no video."""
        return Videos(self._require(), item_ids(self._path, self._suffix), self._suffix)

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
