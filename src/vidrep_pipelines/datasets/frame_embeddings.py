"""Embeddings of whole videos in the catalog."""

from dataclasses import replace
from typing import TYPE_CHECKING

import pandas as pd
from kedro_datasets._typing import TablePreview

from vidrep_pipelines.common.errors import VidrepError
from vidrep_pipelines.datasets.local import LocalDataset, table_preview
from vidrep_pipelines.datasets.resumable_parts import ResumableParts
from vidrep_pipelines.fanout.errors import FanOutError
from vidrep_pipelines.fanout.job import Job
from vidrep_pipelines.fanout.runner import is_complete, load_parts

if TYPE_CHECKING:
    from vidrep_pipelines.data.frame_embeddings import FrameEmbeddings


class FrameEmbeddingsDataset(LocalDataset[Job, "FrameEmbeddings"]):
    """One file of embeddings per video: saving runs the extraction, loading gives the handle."""

    def save(self, data: Job) -> None:
        """Embeds the videos that are missing or out of date.

        Raises:
            FanOutError: A video could not be embedded; an evaluation without it would mislead.
        """
        # A video fails because of a file; once that is mended, it has to be tried again.
        again = data.config.model_copy(update={"retry_failed": True})
        ResumableParts(filepath=self._path).save(replace(data, config=again))
        parts = load_parts(self._path)
        if len(parts.failed):
            raise FanOutError(
                f"{self._path}: {len(parts.failed)} of {len(parts.table)} videos could not be embedded, such "
                f"as {parts.failed['id'].iloc[0]}: {parts.failed['error'].iloc[0]}"
            )

    def load(self) -> "FrameEmbeddings":
        """The handle; opens no file."""
        from vidrep_pipelines.data.frame_embeddings import FrameEmbeddings

        parts = load_parts(self._path)
        return FrameEmbeddings(self._path, tuple(parts.ids), parts.content_digest)

    def _exists(self) -> bool:
        return is_complete(self._path) and not len(load_parts(self._path).failed)

    def preview(self, rows: int = 20) -> TablePreview:
        """The videos, with their frames."""
        try:
            table: pd.DataFrame = load_parts(self._path).table
        except VidrepError:
            return TablePreview({})
        return table_preview(table.head(rows))
