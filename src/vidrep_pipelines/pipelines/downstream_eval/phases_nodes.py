"""Nodes that measure and show what embeddings of frames are worth."""

import logging
import math
from typing import TYPE_CHECKING, Any

import pandas as pd
from PIL.Image import Image

from vidrep_pipelines.data.labelled_videos.frame_labels import LabelledVideos
from vidrep_pipelines.datasets.video_file import Film
from vidrep_pipelines.evaluation.frame_embeddings.config import PhasesConfig
from vidrep_pipelines.pipelines.config import FoldersConfig, TrackingConfig
from vidrep_pipelines.training.config import LaunchConfig

if TYPE_CHECKING:
    from vidrep_pipelines.data.frame_store.store import FrameStore
    from vidrep_pipelines.data.labelled_videos.frame_embeddings import FrameEmbeddings
    from vidrep_pipelines.evaluation.frame_embeddings.measurement import EmbeddingsReport
else:
    FrameEmbeddings = FrameStore = Any  # their modules take seconds to import

TRAINED, UNTRAINED, CLOCK = "trained", "untrained", "clock"
_NUMBERS = ("value", "low", "high", "lead", "lead_low", "lead_high")
_log = logging.getLogger(__name__)


def measure_phases(
    labelled: LabelledVideos,
    embeddings: FrameEmbeddings,
    untrained: FrameEmbeddings,
    config: PhasesConfig,
    launch: LaunchConfig,
    folders: FoldersConfig,
    tracking: TrackingConfig,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """All tasks: overall, per action, what was left out with reasons, and the numbers to track."""
    from vidrep_pipelines.evaluation.frame_embeddings.clock import Clock, FrameArrays
    from vidrep_pipelines.evaluation.frame_embeddings.kept_report import KeptReport
    from vidrep_pipelines.evaluation.frame_embeddings.measurement import measure_embeddings
    from vidrep_pipelines.reporting.frame_measures import measure_table
    from vidrep_pipelines.training.distributed import arithmetic_threads, choose_device

    del tracking  # the hook logs the numbers
    encoders: dict[str, FrameArrays] = {TRAINED: embeddings, UNTRAINED: untrained, CLOCK: Clock(labelled)}
    kept = KeptReport.of(folders.models / "phases_reports", labelled, encoders, config)
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
    return report.summary, report.per_action, report.dropped, _metrics(report, config)


def draw_phases(
    labelled: LabelledVideos,
    store: FrameStore,
    embeddings: FrameEmbeddings,
    untrained: FrameEmbeddings,
    config: PhasesConfig,
) -> tuple[Film, Image, Image, Image, Image]:
    """Two videos aligned, moving and still; retrieved frames; similarities; paths of embeddings."""
    from vidrep_pipelines.evaluation.frame_embeddings.shown_videos import Views

    views = Views.of(labelled, {TRAINED: embeddings, UNTRAINED: untrained}, store, config)
    film = Film(views.film(), config.shown.frames_per_second)
    return film, views.strip(), views.montage(), views.heat_maps(), views.trajectories()


def draw_bars(summary: pd.DataFrame, labelled: LabelledVideos, config: PhasesConfig) -> Image:
    """All measures: trained, untrained, and the clock."""
    from vidrep_pipelines.reporting.frame_measures import measure_bars

    videos = int((labelled.table["split"] == config.split).sum())
    return measure_bars(summary, f"Embeddings of {videos} videos of the split {config.split}, 95 % intervals")


def _metrics(report: "EmbeddingsReport", config: PhasesConfig) -> dict[str, Any]:
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
