"""Nodes that measure and show how well a model reconstructs clips."""

import logging
from typing import TYPE_CHECKING, Any

import pandas as pd
from PIL.Image import Image

from vidrep_pipelines.data.clips.config import IngestConfig
from vidrep_pipelines.data.sources.robonet.config import RoboNetConfig
from vidrep_pipelines.datasets.checkpoint import Checkpoint, CheckpointSource
from vidrep_pipelines.datasets.video_file import Film
from vidrep_pipelines.evaluation.reconstruction.config import (
    MeasuredClipsConfig,
    ReconstructionEvaluationConfig,
)
from vidrep_pipelines.models.vqvae.config import OriginalVqvaeConfig
from vidrep_pipelines.pipelines.config import FoldersConfig, TrackingConfig
from vidrep_pipelines.pipelines.data_in_words import data_in_words
from vidrep_pipelines.training.config import LaunchConfig

if TYPE_CHECKING:
    from vidrep_pipelines.data.frame_store.store import FrameStore
else:
    FrameStore = Any  # its module takes seconds to import

_SHOWN_CLIPS, _FRAMES_PER_SECOND = 4, 6
_log = logging.getLogger(__name__)


def measure_vqvae(
    checkpoint: Checkpoint,
    spec: dict[str, Any],
    store: FrameStore,
    measured_clips: MeasuredClipsConfig,
    config: ReconstructionEvaluationConfig,
    launch: LaunchConfig,
    folders: FoldersConfig,
    tracking: TrackingConfig,
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Any], dict[str, Any]]:
    """Measures held-out clips: values per clip, a table per robot, numbers to track, the run's record."""
    from vidrep_pipelines.adapters.reconstruction import run_label

    del tracking  # the hook logs the numbers
    label = run_label(spec["task_config"])
    return _measured(checkpoint, label, store, measured_clips, config, launch, folders)


def open_original_vqvae(original: OriginalVqvaeConfig, folders: FoldersConfig) -> CheckpointSource:
    """A checkpoint of the original code as one of the catalog; nothing is trained."""
    from vidrep_pipelines.common.digest import digest_of
    from vidrep_pipelines.common.foreign_weights import weights_digest
    from vidrep_pipelines.models.vqvae.inference import write_original_vqvae

    folder = folders.models / "vqvae_original" / "read"
    config = write_original_vqvae(original, folder)
    digest = digest_of(weights_digest("vqvae_original.path", original.path), config)
    name = original.path.name if original.path else ""
    return CheckpointSource(folder, config=config, meta={"system": "vqvae", "digest": digest, "file": name})


def measure_original_vqvae(
    checkpoint: Checkpoint,
    store: FrameStore,
    measured_clips: MeasuredClipsConfig,
    config: ReconstructionEvaluationConfig,
    launch: LaunchConfig,
    folders: FoldersConfig,
    tracking: TrackingConfig,
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Any], dict[str, Any]]:
    """The same for a checkpoint of the original code, of whose training nothing is known."""
    del tracking  # the hook logs the numbers
    label = f"original, {checkpoint.meta['file']}"
    return _measured(checkpoint, label, store, measured_clips, config, launch, folders)


def _measured(
    checkpoint: Checkpoint,
    label: str,
    store: FrameStore,
    measured_clips: MeasuredClipsConfig,
    config: ReconstructionEvaluationConfig,
    launch: LaunchConfig,
    folders: FoldersConfig,
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Any], dict[str, Any]]:
    from vidrep_pipelines.adapters.reconstruction import measured_vqvae, run_record
    from vidrep_pipelines.evaluation.reconstruction.clips import MeasuredClips
    from vidrep_pipelines.reporting.reconstruction import metric_table

    clips = MeasuredClips.of(store, measured_clips)
    measured = measured_vqvae(checkpoint, clips, config, launch, measured_clips.batch_size, folders.models)
    report, _ = measured
    _log.info("%d clips of %s:\n%s", len(clips), measured_clips.split, metric_table(report.summary))
    record = run_record(checkpoint, label, len(clips), measured, config)
    lines = {"skipped": report.skipped, "remarks": report.remarks}
    return report.videos, report.summary, {**record, **lines}, record


def vqvae_clip_pictures(
    checkpoint: Checkpoint,
    store: FrameStore,
    measured_clips: MeasuredClipsConfig,
    summary: pd.DataFrame,
    robonet: RoboNetConfig,
    ingest: IngestConfig,
) -> tuple[Image, Film, Image]:
    """Original, reconstruction and error of a few of the clips, still and moving; metrics per robot."""
    from vidrep_pipelines.adapters.reconstruction import shown_pairs
    from vidrep_pipelines.evaluation.reconstruction.clips import MeasuredClips
    from vidrep_pipelines.models.vqvae.pictures import comparison_film, comparison_strips
    from vidrep_pipelines.reporting.pictures import measured_on
    from vidrep_pipelines.reporting.reconstruction import robot_chart

    few = measured_clips.model_copy(update={"limit": _SHOWN_CLIPS})
    pairs = shown_pairs(checkpoint, MeasuredClips.of(store, few))
    main = summary[summary["pixels"] == summary["pixels"].iloc[0]]
    words = data_in_words("robonet", {"robonet": robonet, "ingest": ingest}, int(main["videos"].max()))
    film = Film(comparison_film(pairs), _FRAMES_PER_SECOND)
    return comparison_strips(pairs), film, measured_on(robot_chart(main), words)


def rate_distortion_picture(runs: pd.DataFrame) -> Image:
    """Quality against bits per frame, over all runs that were measured."""
    from vidrep_pipelines.reporting.reconstruction import rate_distortion

    return rate_distortion(runs)


def compare_variants(
    pixel: dict[str, Any], perceptual: dict[str, Any], clips: dict[str, Any]
) -> tuple[pd.DataFrame, Image]:
    """One row per published configuration, and the same as a picture."""
    from vidrep_pipelines.reporting.reconstruction import variant_chart

    table = pd.DataFrame([pixel, perceptual, clips]).drop(columns=["run", "skipped", "remarks"])
    _log.info("configurations side by side:\n%s", table.to_string(index=False, float_format="%.4g"))
    return table, variant_chart(table)
