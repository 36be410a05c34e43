"""What is reported of the embeddings of frames: trained and untrained ones beside a clock."""

import logging
import math
from pathlib import Path
from typing import Any

from vidrep_pipelines.data.labelled_videos.frame_embeddings import FrameEmbeddings
from vidrep_pipelines.data.labelled_videos.frame_labels import LabelledVideos
from vidrep_pipelines.evaluation.frame_embeddings.clock import Clock, FrameArrays
from vidrep_pipelines.evaluation.frame_embeddings.config import PhasesConfig
from vidrep_pipelines.evaluation.frame_embeddings.kept_report import KeptEmbeddingsReport
from vidrep_pipelines.evaluation.frame_embeddings.measurement import EmbeddingsReport, measure_embeddings
from vidrep_pipelines.reporting.frame_measures import measure_table
from vidrep_pipelines.training.config import LaunchConfig
from vidrep_pipelines.training.distributed import arithmetic_threads, choose_device

TRAINED, UNTRAINED, CLOCK = "trained", "untrained", "clock"
_NUMBERS = ("value", "low", "high", "lead", "lead_low", "lead_high")
_log = logging.getLogger(__name__)


def report_embeddings(
    labelled: LabelledVideos,
    embeddings: FrameEmbeddings,
    untrained: FrameEmbeddings,
    config: PhasesConfig,
    launch: LaunchConfig,
    folder: Path,
) -> EmbeddingsReport:
    """Measures the embeddings on all tasks; what was measured before is read again.

    Args:
        labelled: The release.
        embeddings: Of the trained model.
        untrained: Of the same model before training.
        config: Tasks.
        launch: Says on which device, and with how many threads.
        folder: Of all kept reports.

    Raises:
        InputError: Nothing could be measured, or labels and embeddings do not fit one another.
    """
    encoders: dict[str, FrameArrays] = {TRAINED: embeddings, UNTRAINED: untrained, CLOCK: Clock(labelled)}
    kept = KeptEmbeddingsReport.of(folder, labelled, encoders, config)
    report = kept.load()
    if report is None:
        with arithmetic_threads(launch):
            report = measure_embeddings(labelled, encoders, config, str(choose_device(launch)))
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
    controls = (UNTRAINED, CLOCK)
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
