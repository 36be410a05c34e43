"""What was measured is kept, so that an evaluation of the same model on the same clips is not done again."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from vidrep_pipelines.common.atomic import atomic_directory, atomic_file
from vidrep_pipelines.common.digest import digest_of, digest_of_file
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.evaluation.video_prediction.config import VideoEvaluationConfig
from vidrep_pipelines.evaluation.video_prediction.measurement import VideoMeasures

_FACTS = "facts.json"
_TABLES = ("values", "motion", "losses", "distances")
_MEASUREMENT = 1
"""Version of what equal models, clips and parameters lead to: raised when values change."""


@dataclass(frozen=True)
class KeptVideoMeasures:
    """A place for the measures of one model on one set of clips.

    Attributes:
        folder: Their own.
    """

    folder: Path

    @classmethod
    def of(cls, folder: Path, model: str, clips: str, config: VideoEvaluationConfig) -> "KeptVideoMeasures":
        """The place that belongs to a model, clips and metrics.

        Args:
            folder: The folder of all kept measures.
            model: Digest of the model and of how it samples.
            clips: Digest of the clips and their instructions.
            config: How predictions are measured; of metrics' files the content counts, batches and intervals
                do not.
        """
        files = {
            name: digest_of_file(value)
            for name, value in config.metrics
            if isinstance(value, Path) and value.is_file()
        }
        science = [config.seeds, config.noise_levels, config.metrics.pixel_range]
        return cls(folder / digest_of(_MEASUREMENT, model, clips, science, files))

    def load(self) -> VideoMeasures | None:
        """The measures; none if they were never made.

        Raises:
            InputError: The files are damaged.
        """
        if not (self.folder / _FACTS).is_file():
            return None
        try:
            skipped = json.loads((self.folder / _FACTS).read_text(encoding="utf-8"))["skipped"]
            tables = {name: pd.read_parquet(self.folder / f"{name}.parquet") for name in _TABLES}
            return VideoMeasures(**tables, skipped=tuple(skipped))
        except (OSError, ValueError, KeyError) as error:
            raise InputError(f"{self.folder} is damaged ({error}). Remedy: delete it.") from error

    def save(self, measures: VideoMeasures) -> None:
        """Keeps measures."""
        with atomic_directory(self.folder) as folder:
            for name in _TABLES:
                getattr(measures, name).to_parquet(folder / f"{name}.parquet", index=False)
            facts = json.dumps({"skipped": measures.skipped}) + "\n"
            (folder / _FACTS).write_text(facts, encoding="utf-8")


@dataclass(frozen=True)
class KeptTable:
    """A place for one table.

    Attributes:
        path: Its file.
    """

    path: Path

    @classmethod
    def of(cls, folder: Path, *key: Any) -> "KeptTable":
        """The place that belongs to all that the table depends on, as plain data."""
        return cls(folder / f"{digest_of(_MEASUREMENT, *key)}.parquet")

    def load(self) -> pd.DataFrame | None:
        """The table; none if it was never made.

        Raises:
            InputError: The file is damaged.
        """
        if not self.path.is_file():
            return None
        try:
            return pd.read_parquet(self.path)
        except (OSError, ValueError) as error:
            raise InputError(f"{self.path} is damaged ({error}). Remedy: delete it.") from error

    def save(self, table: pd.DataFrame) -> None:
        """Keeps the table."""
        with atomic_file(self.path) as temporary:
            table.to_parquet(temporary, index=False)
