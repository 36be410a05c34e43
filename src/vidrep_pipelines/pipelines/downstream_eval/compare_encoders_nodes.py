"""Nodes that put every encoder and every evaluation into one table."""

import logging
from typing import TYPE_CHECKING, Any

import pandas as pd
from PIL.Image import Image

from vidrep_pipelines.data.clips.config import ProbeClipsConfig
from vidrep_pipelines.data.label_sequences.config import DavisConfig, JhmdbConfig, PointsConfig, VipConfig
from vidrep_pipelines.data.sources.long_videos.config import PouringConfig
from vidrep_pipelines.datasets.checkpoint import Checkpoint
from vidrep_pipelines.evaluation.encoder_comparison.config import EncoderComparisonConfig
from vidrep_pipelines.evaluation.encoders.config import EncodersConfig
from vidrep_pipelines.evaluation.frame_embeddings.config import PhasesConfig
from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.fanout.job import Job
from vidrep_pipelines.fanout.parts import Parts
from vidrep_pipelines.pipelines.config import FoldersConfig, TrackingConfig
from vidrep_pipelines.pipelines.data_in_words import data_in_words
from vidrep_pipelines.training.config import LaunchConfig

if TYPE_CHECKING:
    from vidrep_pipelines.data.frame_store.store import FrameStore
    from vidrep_pipelines.data.labelled_videos.frame_labels import LabelledVideos
else:
    FrameStore = LabelledVideos = Any  # their modules take seconds to import

_log = logging.getLogger(__name__)


def list_compared_encoders(
    encoders: EncodersConfig, config: EncoderComparisonConfig, *checkpoints: Checkpoint
) -> list[dict[str, Any]]:
    """The encoders to compare, the reference first, with digests of their weights."""
    from vidrep_pipelines.adapters.encoders import compared_sources

    sources = compared_sources(config.compared(encoders), config.reference, checkpoints)
    return [source.model_dump(mode="json") for source in sources]


def measure_costs(
    encoders: list[dict[str, Any]], config: EncoderComparisonConfig, fanout: FanOutConfig
) -> Job:
    """One item per encoder: milliseconds a frame, parameters."""
    from vidrep_pipelines.adapters.encoder_cost import encoder_cost_job
    from vidrep_pipelines.adapters.encoders import encoder_sources_of

    return encoder_cost_job(encoder_sources_of(encoders), config.cost, config.device, fanout)


def embed_long_videos(
    store: FrameStore, encoders: list[dict[str, Any]], config: EncoderComparisonConfig, fanout: FanOutConfig
) -> Job:
    """One item per encoder and video: an embedding of every frame."""
    from vidrep_pipelines.adapters.encoder_phases import encoded_videos_job
    from vidrep_pipelines.adapters.encoders import encoder_sources_of

    return encoded_videos_job(store, encoder_sources_of(encoders), config, fanout)


def measure_encoder_phases(
    labelled: LabelledVideos,
    embeddings: Parts,
    encoders: list[dict[str, Any]],
    phases: PhasesConfig,
    launch: LaunchConfig,
    folders: FoldersConfig,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """All tasks on frames of long videos for all encoders and a clock; what was left out, with reasons."""
    from vidrep_pipelines.adapters.encoder_phases import measure_encoders

    names = [source["name"] for source in encoders]
    folder = folders.models / "phases_reports"
    report = measure_encoders(labelled, embeddings, names, phases, launch, folder)
    return report.summary, report.dropped


def tabulate_encoders(
    encoders: list[dict[str, Any]],
    costs: Parts,
    config: EncoderComparisonConfig,
    tracking: TrackingConfig,
    *summaries: pd.DataFrame,
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """One row per evaluation and encoder, with interval, paired difference to the reference, and cost."""
    from vidrep_pipelines.adapters.encoder_cost import cost_table
    from vidrep_pipelines.adapters.encoders import encoder_sources_of
    from vidrep_pipelines.evaluation.encoder_comparison.table import (
        SUMMARIES,
        comparison_metrics,
        comparison_table,
        comparison_text,
    )
    from vidrep_pipelines.evaluation.encoders.config import is_untrained

    del tracking  # with it the run is opened that the numbers and the pictures after this are logged to
    untrained = {source.name: is_untrained(source.config) for source in encoder_sources_of(encoders)}
    named = dict(zip(SUMMARIES, summaries, strict=True))
    table = comparison_table(named, cost_table(costs), untrained)
    metrics = comparison_metrics(table, untrained)
    _log.info("95 %% intervals; + and -: other than %s; *: on the front of time and value\n%s",
              config.reference, comparison_text(table))  # fmt: skip
    for cell in metrics["cells_without_result"]:
        _log.warning("no result of %s; the manifest of that evaluation says why", cell)
    return table, metrics


def paint_comparison(
    table: pd.DataFrame,
    davis: DavisConfig,
    jhmdb: JhmdbConfig,
    vip: VipConfig,
    points: PointsConfig,
    pouring: PouringConfig,
    probe_clips: ProbeClipsConfig,
) -> tuple[Image, Image]:
    """All encoders by all evaluations with intervals; and each evaluation against what encoders cost."""
    from vidrep_pipelines.reporting.encoder_comparison import comparison_chart, pareto_chart
    from vidrep_pipelines.reporting.pictures import measured_on

    blocks = {
        **{"davis": davis, "jhmdb": jhmdb, "vip": vip, "points": points},
        **{"pouring": pouring, "probe_clips": probe_clips},
    }
    words = "; ".join(dict.fromkeys(data_in_words(block, blocks) for block in blocks))
    return measured_on(comparison_chart(table), words), measured_on(pareto_chart(table), words)
