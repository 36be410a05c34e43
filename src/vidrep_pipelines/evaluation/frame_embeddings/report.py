"""What is reported of the embeddings of frames: trained ones beside what they have to beat."""

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from vidrep_pipelines.common.atomic import atomic_directory
from vidrep_pipelines.common.digest import digest_of
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.labelled_videos.frame_embeddings import FrameEmbeddings
from vidrep_pipelines.data.labelled_videos.frame_labels import LabelledVideos
from vidrep_pipelines.evaluation.frame_embeddings.clock import Clock, FrameArrays
from vidrep_pipelines.evaluation.frame_embeddings.config import PhasesConfig
from vidrep_pipelines.evaluation.frame_embeddings.floors import (
    Chance,
    FramePixels,
    OneEncoder,
    StoredFrames,
)
from vidrep_pipelines.evaluation.frame_embeddings.measurement import EmbeddingsReport, measure_embeddings
from vidrep_pipelines.reporting.frame_measures import measure_table
from vidrep_pipelines.training.config import LaunchConfig
from vidrep_pipelines.training.distributed import arithmetic_threads, choose_device

_VERSION = 2
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
            folder: The folder of all kept reports.
            labelled: The release.
            encoders: Embeddings by encoder.
            config: Tasks; what is shown does not count.
        """
        measured = config.model_dump(mode="json", exclude={"shown"})
        contents = {name: arrays.content_digest for name, arrays in encoders.items()}
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


TRAINED, UNTRAINED, PIXELS, CLOCK, CHANCE = "trained", "untrained", "pixels", "clock", "chance"
_NUMBERS = ("value", "low", "high", "lead", "lead_low", "lead_high")
_log = logging.getLogger(__name__)


def report_embeddings(
    labelled: LabelledVideos,
    embeddings: FrameEmbeddings,
    untrained: FrameEmbeddings | None,
    config: PhasesConfig,
    launch: LaunchConfig,
    folder: Path,
    store: StoredFrames | None = None,
    paused: FrameArrays | None = None,
) -> EmbeddingsReport:
    """Measures the embeddings on all tasks; what was measured before is read again.

    Args:
        labelled: The release.
        embeddings: Embeddings of the trained model.
        untrained: Embeddings of the same model before training. None: there are none, and the clock alone is
            beside them.
        config: Tasks.
        launch: Says on which device, and with how many threads.
        folder: The folder of all kept reports.
        store: The frames, for the floor of pixels. None: it is not measured.
        paused: Embeddings ``trained/<video>`` and ``untrained/<video>`` of the measured videos with a pause.

    Raises:
        InputError: Nothing could be measured, or labels and embeddings do not fit one another.
    """
    encoders: dict[str, FrameArrays] = {TRAINED: embeddings}
    again: dict[str, FrameArrays] = {} if paused is None else {TRAINED: OneEncoder(paused, TRAINED)}
    if untrained is not None:
        encoders[UNTRAINED] = untrained
        again |= {} if paused is None else {UNTRAINED: OneEncoder(paused, UNTRAINED)}
    if store is not None and config.pixels is not None:
        encoders[PIXELS] = FramePixels(store, config.pixels)
        again[PIXELS] = FramePixels(store, config.pixels, config.pause)
    encoders |= {CLOCK: Clock(labelled), CHANCE: Chance(labelled)}
    again |= {CLOCK: Clock(labelled, config.pause), CHANCE: Chance(labelled)}
    return measured_once(labelled, encoders, config, launch, folder, again)


def measured_once(
    labelled: LabelledVideos,
    encoders: Mapping[str, FrameArrays],
    config: PhasesConfig,
    launch: LaunchConfig,
    folder: Path,
    paused: Mapping[str, FrameArrays] | None = None,
) -> EmbeddingsReport:
    """Measures several encoders on all tasks; what was measured before is read again.

    Args:
        labelled: The release.
        encoders: Embeddings by encoder; the first one is compared with the others.
        config: Tasks.
        launch: Says on which device, and with how many threads.
        folder: The folder of all kept reports.
        paused: Embeddings of the measured videos with a pause, by encoder. None: there are none.

    Raises:
        InputError: Nothing could be measured, or labels and embeddings do not fit one another.
    """
    again = paused or {}
    contents = {**encoders, **{f"{name} with a pause": arrays for name, arrays in again.items()}}
    kept = KeptEmbeddingsReport.of(folder, labelled, contents, config)
    report = kept.load()
    if report is None:
        with arithmetic_threads(launch):
            report = measure_embeddings(labelled, encoders, config, str(choose_device(launch)), again)
        kept.save(report)
    else:
        _log.info("phases: up to date")
    _log.info("held-out videos, 95 %% intervals over videos:\n%s", measure_table(report.summary))
    for row in report.dropped.head(5).itertuples():
        _log.warning(
            "left out of %s (%s): %s %s: %s", row.task, row.encoder, row.action, row.item, row.reason
        )
    return report


def tracked_numbers(report: EmbeddingsReport, config: PhasesConfig) -> dict[str, Any]:
    """Numbers of the trained embeddings by measure; those of the controls, and the lead over them, nested."""
    controls = (UNTRAINED, PIXELS, CLOCK, CHANCE)
    metrics: dict[str, Any] = {name: {} for name in (*controls, *(f"lead_over_{name}" for name in controls))}
    for row in report.summary.to_dict("records"):
        value, low, high, *lead = (float(row[name]) for name in _NUMBERS)
        encoder = str(row["encoder"])
        _add(metrics if encoder == TRAINED else metrics[encoder], row["measure"], value, low, high)
        if encoder != TRAINED:
            _add(metrics[f"lead_over_{encoder}"], row["measure"], *lead)
    dropped = report.dropped.groupby(["encoder", "task"]).size().to_dict()
    metrics["left_out"] = {
        encoder: {task: int(dropped.get((encoder, task), 0)) for task in ("embeddings", *config.tasks)}
        for encoder in (TRAINED, *controls)
    }
    return metrics


def _add(numbers: dict[str, Any], measure: str, value: float, low: float, high: float) -> None:
    """Adds those that are defined: JSON and trackers know no others."""
    named = {measure: value, f"{measure}_low": low, f"{measure}_high": high}
    numbers.update({name: number for name, number in named.items() if math.isfinite(number)})
