"""Reports that are kept, so that an evaluation of the same model on the same clips is not done again."""

import json
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from vidrep_pipelines.common.atomic import atomic_directory
from vidrep_pipelines.common.digest import digest_of, digest_of_file
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.evaluation.reconstruction.config import ReconstructionEvaluationConfig
from vidrep_pipelines.evaluation.reconstruction.measurement import ReconstructionReport

_FACTS = "facts.json"


@dataclass(frozen=True)
class KeptReconstructionReport:
    """A place for one report.

    Attributes:
        folder: The report's own.
    """

    folder: Path

    @classmethod
    def of(
        cls, folder: Path, model: str, clips: str, config: ReconstructionEvaluationConfig
    ) -> "KeptReconstructionReport":
        """The place that belongs to a model, clips and metrics.

        Args:
            folder: The folder of all kept reports.
            model: Digest of the model.
            clips: Digest of the clips.
            config: How reconstructions are measured; of their files the content counts.
        """
        files = {
            name: digest_of_file(value)
            for name, value in config
            if isinstance(value, Path) and value.is_file()
        }
        return cls(folder / digest_of(model, clips, config, files))

    def load(self) -> tuple[ReconstructionReport, list[int]] | None:
        """The report, and how often each code was used; none if it was never made.

        Raises:
            InputError: The files are damaged.
        """
        if not (self.folder / _FACTS).is_file():
            return None
        try:
            facts = json.loads((self.folder / _FACTS).read_text(encoding="utf-8"))
            videos, summary = (
                pd.read_parquet(self.folder / f"{name}.parquet") for name in ("videos", "summary")
            )
            lines = (tuple(facts[name]) for name in ("skipped", "remarks"))
            return ReconstructionReport(videos, summary, *lines), facts["counts"]
        except (OSError, ValueError, KeyError) as error:
            raise InputError(f"{self.folder} is damaged ({error}). Remedy: delete it.") from error

    def save(self, report: ReconstructionReport, counts: list[int]) -> None:
        """Keeps a report."""
        with atomic_directory(self.folder) as folder:
            report.videos.to_parquet(folder / "videos.parquet", index=False)
            report.summary.to_parquet(folder / "summary.parquet", index=False)
            facts = {"skipped": report.skipped, "remarks": report.remarks, "counts": counts}
            (folder / _FACTS).write_text(json.dumps(facts) + "\n", encoding="utf-8")
