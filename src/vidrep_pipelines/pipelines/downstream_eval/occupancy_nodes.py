"""Nodes that measure and show what an occupancy model knows about the future."""

import logging
from typing import TYPE_CHECKING, Any

import pandas as pd
from PIL.Image import Image

from vidrep_pipelines.datasets.checkpoint import Checkpoint
from vidrep_pipelines.datasets.token_episodes import TokenEpisodesFile
from vidrep_pipelines.datasets.video_file import Film
from vidrep_pipelines.evaluation.occupancy.config import FuturesConfig, OccupancyEvaluationConfig
from vidrep_pipelines.models.voc.config import OccupancyName
from vidrep_pipelines.pipelines.config import FoldersConfig, TrackingConfig
from vidrep_pipelines.pipelines.data_in_words import data_in_words
from vidrep_pipelines.pipelines.ingest.dmc_nodes import DmcConfig
from vidrep_pipelines.pipelines.latent_extraction.voc_nodes import ReleasedLatentsConfig
from vidrep_pipelines.pipelines.pretrain.voc_config import VocRunConfig
from vidrep_pipelines.training.config import LaunchConfig

if TYPE_CHECKING:
    from vidrep_pipelines.data.frame_store.store import FrameStore
else:
    FrameStore = Any  # its module takes seconds to import

_FRAMES_PER_SECOND = 5
_RELEASED = "voc_vae_released_latents"
"""Block of parameters of published codes; those of the other tokenizer are said in the same words."""
_log = logging.getLogger(__name__)


def measure_occupancy(
    checkpoint: Checkpoint,
    spec: dict[str, Any],
    tokens: TokenEpisodesFile,
    run: VocRunConfig,
    config: OccupancyEvaluationConfig,
    launch: LaunchConfig,
    folders: FoldersConfig,
    tracking: TrackingConfig,
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """Measures held-out episodes: values per state, scores with intervals, numbers to track."""
    del tracking  # the hook logs the numbers
    return _measured(checkpoint, spec, tokens, run.tokenizer, config, launch, folders)


def measure_joint_occupancy(
    checkpoint: Checkpoint,
    spec: dict[str, Any],
    tokens: TokenEpisodesFile,
    config: OccupancyEvaluationConfig,
    launch: LaunchConfig,
    folders: FoldersConfig,
    tracking: TrackingConfig,
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """The same of a model that was trained together with its tokenizer."""
    del tracking  # the hook logs the numbers
    return _measured(checkpoint, spec, tokens, "joint", config, launch, folders)


def _measured(
    checkpoint: Checkpoint,
    spec: dict[str, Any],
    tokens: TokenEpisodesFile,
    kind: OccupancyName,
    config: OccupancyEvaluationConfig,
    launch: LaunchConfig,
    folders: FoldersConfig,
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    from vidrep_pipelines.adapters.occupancy import discount_of, measured_values
    from vidrep_pipelines.evaluation.occupancy.scores import score_report

    values = measured_values(checkpoint, spec, tokens, config, launch, folders.models / "occupancy_values")
    scores, metrics = score_report(values, discount_of(spec), config, kind)
    return values, scores, {"run": str(checkpoint.meta["digest"]), **metrics}


def occupancy_pictures(
    values: pd.DataFrame, scores: pd.DataFrame, episodes: DmcConfig
) -> tuple[Image, Image, Image]:
    """Values against returns, values along episodes, calibration."""
    return _pictures(values, scores, data_in_words("dmc", {"dmc": episodes}))


def released_occupancy_pictures(
    values: pd.DataFrame, scores: pd.DataFrame, released: ReleasedLatentsConfig
) -> tuple[Image, Image, Image]:
    """The same on published codes."""
    return _pictures(values, scores, data_in_words(_RELEASED, {_RELEASED: released}))


def _pictures(values: pd.DataFrame, scores: pd.DataFrame, words: str) -> tuple[Image, Image, Image]:
    from vidrep_pipelines.reporting import occupancy
    from vidrep_pipelines.reporting.pictures import measured_on

    return (
        measured_on(occupancy.value_scatter(values, scores), words),
        measured_on(occupancy.values_along_episodes(values), words),
        measured_on(occupancy.calibration_chart(values, scores), words),
    )


def show_futures(
    checkpoint: Checkpoint,
    spec: dict[str, Any],
    tokens: TokenEpisodesFile,
    store: FrameStore,
    tokenizer: Checkpoint,
    config: FuturesConfig,
    launch: LaunchConfig,
) -> tuple[Image, Film]:
    """Sampled futures beside what happened, still and moving."""
    from vidrep_pipelines.adapters.occupancy_futures import future_pictures

    grid, frames = future_pictures(checkpoint, spec, tokens.episodes, store, tokenizer, config, launch)
    return grid, Film(frames, _FRAMES_PER_SECOND)


def compare_occupancy(*scores: pd.DataFrame) -> tuple[pd.DataFrame, Image]:
    """One row per model and metric, and the main metrics as a picture."""
    from vidrep_pipelines.reporting.occupancy import occupancy_comparison, score_text

    table = pd.concat(scores, ignore_index=True)
    _log.info("occupancy models side by side:\n%s", score_text(table))
    return table, occupancy_comparison(table)
