"""Nodes that measure and show what embeddings of frames are worth."""

from typing import TYPE_CHECKING, Any, TypeVar

import pandas as pd
from PIL.Image import Image

from vidrep_pipelines.data.sources.long_videos.config import (
    FineGymConfig,
    FineGymFeaturesConfig,
    LongVideosConfig,
    PennActionConfig,
    PouringConfig,
)
from vidrep_pipelines.datasets.video_file import Film
from vidrep_pipelines.evaluation.frame_embeddings.config import PhasesConfig
from vidrep_pipelines.pipelines.config import FoldersConfig, TrackingConfig
from vidrep_pipelines.pipelines.data_in_words import data_in_words
from vidrep_pipelines.training.config import LaunchConfig

if TYPE_CHECKING:
    from vidrep_pipelines.data.frame_store.store import FrameStore
    from vidrep_pipelines.data.labelled_videos.frame_embeddings import FrameEmbeddings
    from vidrep_pipelines.data.labelled_videos.frame_labels import LabelledVideos
else:
    FrameEmbeddings = FrameStore = LabelledVideos = Any  # their modules take seconds to import


# Kedro checks parameters against the classes in the signatures; this leaves that to the nodes of the videos.
Release = TypeVar("Release", bound=LongVideosConfig)
_BLOCKS: dict[type[LongVideosConfig], str] = {
    PouringConfig: "pouring",
    PennActionConfig: "penn_action",
    FineGymConfig: "finegym",
}


def measure_phases(
    labelled: LabelledVideos,
    store: FrameStore,
    embeddings: FrameEmbeddings,
    untrained: FrameEmbeddings,
    paused: FrameEmbeddings,
    config: PhasesConfig,
    launch: LaunchConfig,
    folders: FoldersConfig,
    tracking: TrackingConfig,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """All tasks: overall, per action, what was left out with reasons, and the numbers to track."""
    del tracking  # the hook logs the numbers
    from vidrep_pipelines.evaluation.frame_embeddings.report import report_embeddings, tracked_numbers

    folder = folders.models / "phases_reports"
    report = report_embeddings(labelled, embeddings, untrained, config, launch, folder, store, paused)
    return report.summary, report.per_action, report.dropped, tracked_numbers(report, config)


def measure_given_phases(
    labelled: LabelledVideos,
    embeddings: FrameEmbeddings,
    config: PhasesConfig,
    launch: LaunchConfig,
    folders: FoldersConfig,
    tracking: TrackingConfig,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """The same of embeddings from elsewhere, of whose model nothing is known."""
    del tracking  # the hook logs the numbers
    from vidrep_pipelines.evaluation.frame_embeddings.report import report_embeddings, tracked_numbers

    folder = folders.models / "phases_reports"
    report = report_embeddings(labelled, embeddings, None, config, launch, folder)
    return report.summary, report.per_action, report.dropped, tracked_numbers(report, config)


def phases_pictures(
    labelled: LabelledVideos,
    store: FrameStore,
    embeddings: FrameEmbeddings,
    untrained: FrameEmbeddings,
    config: PhasesConfig,
) -> tuple[Film, Image, Image, Image, Image]:
    """Two videos aligned, moving and still; retrieved frames; similarities; paths of embeddings."""
    from vidrep_pipelines.evaluation.frame_embeddings.report import TRAINED, UNTRAINED
    from vidrep_pipelines.evaluation.frame_embeddings.shown_videos import ShownVideos

    shown = ShownVideos.of(labelled, {TRAINED: embeddings, UNTRAINED: untrained}, store, config)
    film = Film(shown.film(), config.shown.frames_per_second)
    return film, shown.strip(), shown.montage(), shown.heat_maps(), shown.trajectories()


def measures_picture(
    summary: pd.DataFrame, labelled: LabelledVideos, config: PhasesConfig, release: Release
) -> Image:
    """All measures: trained, untrained, pixels, the clock, and chance."""
    return _bars(summary, labelled, config, _BLOCKS[type(release)], release)


def given_measures_picture(
    summary: pd.DataFrame, labelled: LabelledVideos, config: PhasesConfig, given: FineGymFeaturesConfig
) -> Image:
    """The same of embeddings from elsewhere: beside the clock and chance."""
    return _bars(summary, labelled, config, "carl_finegym_features", given)


def _bars(
    summary: pd.DataFrame, labelled: LabelledVideos, config: PhasesConfig, block: str, source: Any
) -> Image:
    from vidrep_pipelines.reporting.frame_measures import measure_bars
    from vidrep_pipelines.reporting.pictures import measured_on

    videos = int((labelled.table["split"] == config.split).sum())
    title = f"Embeddings of {videos} videos of the split {config.split}, 95 % intervals"
    return measured_on(measure_bars(summary, title), data_in_words(block, {block: source}, videos))
