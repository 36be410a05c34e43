"""Reports that are kept, so that equal embeddings are not measured again."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa

from vidrep_pipelines.common.atomic import atomic_directory
from vidrep_pipelines.common.digest import digest_of
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.labelled_videos.frame_labels import LabelledVideos
from vidrep_pipelines.evaluation.frame_embeddings.clock import FrameArrays
from vidrep_pipelines.evaluation.frame_embeddings.config import PhasesConfig
from vidrep_pipelines.evaluation.frame_embeddings.measurement import EmbeddingsReport

_VERSION = 1
"""Raised when the code that measures changes its results."""
_TABLES = ("summary", "per_action", "dropped")


@dataclass(frozen=True)
class KeptEmbeddingsReport:
    """A place for one report.

    Attributes:
        folder: The report's own.
    """

    folder: Path

    @classmethod
    def of(
        cls,
        folder: Path,
        labelled: LabelledVideos,
        encoders: Mapping[str, FrameArrays],
        config: PhasesConfig,
    ) -> "KeptEmbeddingsReport":
        """The place that belongs to labels, embeddings and tasks.

        Args:
            folder: Of all kept reports.
            labelled: The release.
            encoders: Embeddings by encoder.
            config: Tasks; what is shown does not count.
        """
        measured = config.model_dump(mode="json", exclude={"shown"})
        contents = {name: found.content_digest for name, found in encoders.items()}
        return cls(folder / digest_of(_VERSION, labelled.digest, list(contents.items()), measured))

    def load(self) -> EmbeddingsReport | None:
        """The report; none if it was never made.

        Raises:
            InputError: The files are damaged.
        """
        if not self.folder.is_dir():
            return None
        try:
            return EmbeddingsReport(*(pd.read_parquet(self.folder / f"{name}.parquet") for name in _TABLES))
        except (OSError, pa.ArrowException) as error:
            raise InputError(f"{self.folder} is damaged ({error}). Remedy: delete it.") from error

    def save(self, report: EmbeddingsReport) -> None:
        """Keeps a report."""
        with atomic_directory(self.folder) as folder:
            for name in _TABLES:
                getattr(report, name).to_parquet(folder / f"{name}.parquet", index=False)
