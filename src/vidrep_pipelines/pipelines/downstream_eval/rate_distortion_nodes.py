"""Nodes that compare kinds of codes with one another and with plain codecs, at equal bits."""

import logging
from typing import TYPE_CHECKING, Any

import pandas as pd
from PIL.Image import Image

from vidrep_pipelines.adapters.rate_distortion_config import RateDistortionConfig
from vidrep_pipelines.data.clips.config import IngestConfig
from vidrep_pipelines.data.sources.robonet.config import RoboNetConfig
from vidrep_pipelines.evaluation.reconstruction.config import (
    MeasuredClipsConfig,
    ReconstructionEvaluationConfig,
)
from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.fanout.job import Job
from vidrep_pipelines.fanout.parts import Parts
from vidrep_pipelines.pipelines.config import TrackingConfig
from vidrep_pipelines.pipelines.data_in_words import data_in_words
from vidrep_pipelines.training.config import LaunchConfig

if TYPE_CHECKING:
    from vidrep_pipelines.data.frame_store.store import FrameStore
else:
    FrameStore = Any  # its module takes seconds to import

_log = logging.getLogger(__name__)


def plan_tokenizers(
    config: RateDistortionConfig,
    store: FrameStore,
    measured_clips: MeasuredClipsConfig,
    launch: LaunchConfig,
    fanout: FanOutConfig,
) -> Job:
    """One item per kind of codes, rate and seed: a tokenizer that is trained and measured."""
    from vidrep_pipelines.adapters.rate_distortion import rate_job

    return rate_job(config, store, measured_clips, launch, fanout)


def measure_floors(
    store: FrameStore, measured_clips: MeasuredClipsConfig, config: RateDistortionConfig
) -> pd.DataFrame:
    """What plain codecs make of the same clips within as many bits, and at further rates."""
    from vidrep_pipelines.evaluation.reconstruction.clips import MeasuredClips
    from vidrep_pipelines.evaluation.reconstruction.rate_distortion import budgets_of, floor_values

    budgets = budgets_of(map(config.bits_per_pixel, config.rates), config.floor_points)
    return floor_values(MeasuredClips.of(store, measured_clips), config.floors, budgets)


def compare_at_equal_bits(
    runs: Parts,
    floors: pd.DataFrame,
    measured_clips: MeasuredClipsConfig,
    config: ReconstructionEvaluationConfig,
    tracking: TrackingConfig,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """Values of all clips; a summary per rate and contender; a row per tokenizer; and the same as numbers."""
    from vidrep_pipelines.evaluation.reconstruction.rate_distortion import (
        code_use,
        summarize_rates,
        tokenizer_values,
    )

    del tracking  # the hook logs the numbers
    values, use = tokenizer_values(runs), code_use(runs)
    held_out = values[values["split"] == measured_clips.split]
    summary = summarize_rates(held_out, floors, config)
    _log.info("codes at equal bits:\n%s", summary.to_string(index=False, float_format="%.3g"))
    metrics: dict[str, Any] = {"runs_failed": runs.failed["id"].tolist()}
    for (contender, rate), own in summary.groupby(["contender", "rate"], sort=False):
        metrics.setdefault(str(contender), {})[str(rate)] = own.set_index("metric")["value"].to_dict()
    return values, summary, use, metrics


def frames_at_equal_bits(
    runs: Parts, store: FrameStore, measured_clips: MeasuredClipsConfig, config: RateDistortionConfig
) -> Image:
    """One held-out frame as every contender gives it back, a row per rate."""
    from vidrep_pipelines.adapters.rate_distortion import frames_at_rates
    from vidrep_pipelines.reporting.rate_distortion import codec_grid

    return codec_grid(*frames_at_rates(runs, store, measured_clips, config))


def rate_distortion_comparison(
    summary: pd.DataFrame,
    floors: pd.DataFrame,
    tokenizers: pd.DataFrame,
    frames: Image,
    robonet: RoboNetConfig,
    ingest: IngestConfig,
) -> Image:
    """Quality against bits with the floors, use of the codes, and one frame as all of them give it back."""
    from vidrep_pipelines.reporting.pictures import measured_on
    from vidrep_pipelines.reporting.rate_distortion import rate_distortion_chart, stacked

    picture = stacked([rate_distortion_chart(summary, floors, tokenizers), frames])
    words = data_in_words("robonet", {"robonet": robonet, "ingest": ingest}, int(summary["clips"].max()))
    return measured_on(picture, f"{words}; tokenizers of {tokenizers['seed'].nunique()} seeds")
