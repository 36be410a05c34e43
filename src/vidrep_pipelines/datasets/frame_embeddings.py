"""Embeddings of whole videos in the catalog."""

from typing import TYPE_CHECKING

import pandas as pd
from kedro_datasets._typing import TablePreview

from vidrep_pipelines.common.errors import VidrepError
from vidrep_pipelines.datasets.local import LocalDataset, table_preview
from vidrep_pipelines.datasets.resumable_parts import run_whole
from vidrep_pipelines.fanout.completeness import has_all
from vidrep_pipelines.fanout.job import Job
from vidrep_pipelines.fanout.runner import load_parts

if TYPE_CHECKING:
    from vidrep_pipelines.data.labelled_videos.frame_embeddings import FrameEmbeddings


class FrameEmbeddingsDataset(LocalDataset[Job, "FrameEmbeddings"]):
    """One file of embeddings per video: saving runs the extraction, loading gives the handle."""

    def save(self, data: Job) -> None:
        """Embeds the videos that are missing or out of date.

        Raises:
            FanOutError: A video could not be embedded; an evaluation without it would mislead.
        """
        run_whole(data, self._path, "videos could not be embedded")

    def load(self) -> "FrameEmbeddings":
        """The handle; opens no file."""
        from vidrep_pipelines.data.labelled_videos.frame_embeddings import FrameEmbeddings

        parts = load_parts(self._path)
        return FrameEmbeddings(self._path, tuple(parts.ids), parts.content_digest)

    def _exists(self) -> bool:
        return has_all(self._path)

    def preview(self, rows: int = 20) -> TablePreview:
        """The videos, with their frames."""
        try:
            table: pd.DataFrame = load_parts(self._path).table
        except VidrepError:
            return TablePreview({})
        return table_preview(table.head(rows))
