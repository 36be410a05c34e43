"""Nodes that measure and show what an occupancy model knows about the future."""

import logging
from typing import TYPE_CHECKING, Any

import pandas as pd
from PIL.Image import Image

from vidrep_pipelines.datasets.checkpoint import Checkpoint
from vidrep_pipelines.datasets.token_episodes import TokenEpisodesFile
from vidrep_pipelines.datasets.video_file import Film
from vidrep_pipelines.evaluation.occupancy.config import FuturesConfig, OccupancyEvaluationConfig
from vidrep_pipelines.pipelines.config import FoldersConfig, TrackingConfig
from vidrep_pipelines.pipelines.pretrain.voc_config import VocRunConfig
from vidrep_pipelines.training.config import LaunchConfig

if TYPE_CHECKING:
    from vidrep_pipelines.data.frame_store.store import FrameStore
else:
    FrameStore = Any  # its module takes seconds to import

_FRAMES_PER_SECOND = 5
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
    from vidrep_pipelines.adapters import occupancy as measurement
    from vidrep_pipelines.evaluation.occupancy.kept_values import KeptValues
    from vidrep_pipelines.evaluation.occupancy.published_metrics import published_horizon, share_within
    from vidrep_pipelines.evaluation.occupancy.scores import score_table
    from vidrep_pipelines.reporting.occupancy import score_text

    del tracking  # the hook logs the numbers
    gamma, version = measurement.discount_of(spec), measurement.weights_digest(checkpoint)
    kept = KeptValues(folders.models / "occupancy_values", version, tokens.digest, config)
    values = kept.load()
    if values is None:
        values = measurement.measure(checkpoint, tokens.episodes, gamma, config, launch)
        kept.save(values)
    else:
        _log.info("occupancy: up to date (%d states)", len(values))
    scores = score_table(values, config).assign(model=run.tokenizer)
    _log.info("%s, %d states of %s:\n%s", run.tokenizer, len(values), config.split, score_text(scores))
    metrics = {
        "run": str(checkpoint.meta["digest"]),
        "gamma": gamma,
        **dict(scores[["metric", "value"]].itertuples(index=False)),
        "published_truth_share": share_within(gamma, published_horizon(gamma)),
        "states": len(values),
    }
    return values, scores, metrics


def draw_occupancy(values: pd.DataFrame, scores: pd.DataFrame) -> tuple[Image, Image, Image]:
    """Values against returns, values along episodes, calibration."""
    from vidrep_pipelines.reporting import occupancy

    return (
        occupancy.value_scatter(values, scores),
        occupancy.values_along_episodes(values),
        occupancy.calibration_chart(values, scores),
    )


def draw_futures(
    checkpoint: Checkpoint,
    spec: dict[str, Any],
    tokens: TokenEpisodesFile,
    store: FrameStore,
    tokenizer: Checkpoint,
    config: FuturesConfig,
    launch: LaunchConfig,
) -> tuple[Image, Film]:
    """Sampled futures beside what happened, still and moving."""
    from vidrep_pipelines.adapters.occupancy import discount_of, load_model
    from vidrep_pipelines.adapters.occupancy_futures import FutureSampler
    from vidrep_pipelines.models.voc.inference import steps_per_jump
    from vidrep_pipelines.models.voc.tokenizers.inference import checkpoint_source
    from vidrep_pipelines.reporting.occupancy_futures import futures_film, futures_grid
    from vidrep_pipelines.training.distributed import choose_device

    gamma, model = discount_of(spec), load_model(checkpoint, tokens.episodes, launch)
    loaded = checkpoint_source(tokenizer.config, tokenizer.weights).load(choose_device(launch))
    sampler = FutureSampler(model, gamma, tokens.episodes, store, loaded)
    futures, steps = sampler.sample(config), steps_per_jump(gamma)
    grid = futures_grid(futures, steps, sampler.depiction.title)
    return grid, Film(futures_film(futures, steps), _FRAMES_PER_SECOND)


def compare_occupancy(*scores: pd.DataFrame) -> tuple[pd.DataFrame, Image]:
    """One row per model and metric, and the main metrics as a picture."""
    from vidrep_pipelines.reporting.occupancy import occupancy_comparison, score_text

    table = pd.concat(scores, ignore_index=True)
    _log.info("occupancy models side by side:\n%s", score_text(table))
    return table, occupancy_comparison(table)
