"""Nodes that predict videos, measure the predictions, and ask what they owe to the instruction."""

import logging
from typing import TYPE_CHECKING, Any

import pandas as pd
from PIL.Image import Image

from vidrep_pipelines.datasets.checkpoint import Checkpoint
from vidrep_pipelines.evaluation.video_prediction.config import (
    CounterfactualConfig,
    PredictVideoConfig,
    VideoEvaluationConfig,
)
from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.fanout.job import Job
from vidrep_pipelines.fanout.parts import Parts
from vidrep_pipelines.models.vpp.video.config import VideoSamplingConfig
from vidrep_pipelines.pipelines.config import FoldersConfig, SystemParameters, TrackingConfig
from vidrep_pipelines.pipelines.data_in_words import data_in_words
from vidrep_pipelines.pipelines.ingest.robot_episodes_nodes import RobotEpisodesConfig
from vidrep_pipelines.training.config import LaunchConfig

if TYPE_CHECKING:
    from vidrep_pipelines.data.frame_store.store import FrameStore
else:
    FrameStore = Any  # its module takes seconds to import

_log = logging.getLogger(__name__)


class VideoPredictionParameters(SystemParameters):
    """All parameters of predictions and of their measures (``params:video_prediction``)."""

    sampling: VideoSamplingConfig = VideoSamplingConfig()
    """How videos are sampled."""

    prediction: PredictVideoConfig = PredictVideoConfig()
    """``predict_video``: which episodes, and what the robot is told."""

    evaluation: VideoEvaluationConfig = VideoEvaluationConfig()
    """``eval_video_prediction``: which clips, and how predictions are measured."""

    counterfactuals: CounterfactualConfig = CounterfactualConfig()
    """``eval_video_prediction``: tables of the sample world under every instruction."""


def predict_episodes(
    checkpoint: Checkpoint,
    spec: dict[str, Any],
    codec: Checkpoint,
    store: FrameStore,
    parameters: VideoPredictionParameters,
    launch: LaunchConfig,
    fanout: FanOutConfig,
) -> Job:
    """One item per chosen episode: a film and a still, what happened above what is predicted."""
    from vidrep_pipelines.adapters.predicted_videos import prediction_job
    from vidrep_pipelines.adapters.video_prediction import TrainedVideo
    from vidrep_pipelines.training.distributed import choose_device

    trained = TrainedVideo.of(checkpoint, spec, codec, parameters.sampling)
    return prediction_job(trained, store, parameters.prediction, choose_device(launch).type, fanout)


def show_predictions(films: Parts) -> tuple[pd.DataFrame, Image]:
    """What was told and how good each prediction is; the first predictions below one another."""
    from vidrep_pipelines.adapters.predicted_videos import stacked_stills

    facts = ["id", "data_set", "text", "own_text", "psnr_last", "psnr_last_first_frame", "motion_ratio"]
    table = films.table.reindex(columns=[*facts, "error"])
    return table, stacked_stills(films)


def measure_predictions(
    checkpoint: Checkpoint,
    spec: dict[str, Any],
    codec: Checkpoint,
    store: FrameStore,
    parameters: VideoPredictionParameters,
    launch: LaunchConfig,
    folders: FoldersConfig,
    tracking: TrackingConfig,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """Measures held-out clips: per frame, per horizon, in one number each, against floors, by noise level."""
    from vidrep_pipelines.adapters.video_prediction import TrainedVideo, measured_videos
    from vidrep_pipelines.evaluation.video_prediction import summary
    from vidrep_pipelines.reporting.video_prediction import video_metric_text

    del tracking  # the hook logs the numbers
    evaluation = parameters.evaluation
    trained = TrainedVideo.of(checkpoint, spec, codec, parameters.sampling)
    kept = folders.models.absolute() / "video_prediction" / "measures"
    measures = measured_videos(trained, store, evaluation, launch, kept)
    whole = summary.summary_table(measures, evaluation.metrics)
    differences = summary.difference_table(measures, evaluation.metrics)
    _log.info("predicted videos of %s:\n%s", evaluation.split, video_metric_text(whole))
    summary.warn_if_static(whole, evaluation.static_below)
    return (
        measures.values,
        summary.horizon_table(measures.values, evaluation.metrics),
        whole,
        differences,
        summary.loss_table(measures.losses, evaluation.metrics),
        {"skipped": measures.skipped, **summary.tracked_numbers(whole)},
    )


def film_tables(
    store: FrameStore,
    spec: dict[str, Any],
    parameters: VideoPredictionParameters,
    episodes: RobotEpisodesConfig,
    fanout: FanOutConfig,
) -> Job:
    """One item per table of the sample world, filmed under all of its instructions."""
    from vidrep_pipelines.adapters.counterfactual_videos import tables_job, tabletop_trajectories
    from vidrep_pipelines.models.vpp.video.task import VideoTask

    task = VideoTask.model_validate(spec["task_config"])
    trajectories = tabletop_trajectories(store)
    return tables_job(trajectories, task, episodes, parameters.counterfactuals, fanout)


def judge_counterfactuals(
    checkpoint: Checkpoint,
    spec: dict[str, Any],
    codec: Checkpoint,
    tables: Parts,
    parameters: VideoPredictionParameters,
    launch: LaunchConfig,
    folders: FoldersConfig,
    tracking: TrackingConfig,
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """The counterfactual test: an answer per instruction, shares with intervals beside chance, numbers."""
    from vidrep_pipelines.adapters.counterfactual_videos import judged_tables
    from vidrep_pipelines.adapters.video_prediction import TrainedVideo
    from vidrep_pipelines.evaluation.video_prediction.counterfactual_scores import (
        counterfactual_summary,
        tracked_shares,
    )
    from vidrep_pipelines.reporting.video_prediction import counterfactual_text

    del tracking  # the hook logs the numbers
    evaluation = parameters.evaluation
    trained = TrainedVideo.of(checkpoint, spec, codec, parameters.sampling)
    kept = folders.models.absolute() / "video_prediction" / "judgements"
    judged = judged_tables(trained, tables, evaluation, launch, kept)
    shares = counterfactual_summary(judged, evaluation.metrics)
    _log.info("counterfactual test:\n%s", counterfactual_text(shares))
    return judged, shares, tracked_shares(shares)


def draw_counterfactuals(
    checkpoint: Checkpoint,
    spec: dict[str, Any],
    codec: Checkpoint,
    tables: Parts,
    parameters: VideoPredictionParameters,
    launch: LaunchConfig,
) -> Image:
    """One first frame under every instruction: what happens, and what is predicted."""
    from vidrep_pipelines.adapters.counterfactual_videos import counterfactual_sheet
    from vidrep_pipelines.adapters.video_prediction import TrainedVideo

    trained = TrainedVideo.of(checkpoint, spec, codec, parameters.sampling)
    return counterfactual_sheet(trained, tables, parameters.evaluation, launch)


def draw_measures(
    horizons: pd.DataFrame,
    losses: pd.DataFrame,
    counterfactuals: pd.DataFrame,
    episodes: RobotEpisodesConfig,
) -> tuple[Image, Image, Image]:
    """Charts over the horizon, over the noise level, and of the counterfactual test."""
    from vidrep_pipelines.reporting import video_prediction
    from vidrep_pipelines.reporting.pictures import measured_on

    words = data_in_words("robot_episodes", {"robot_episodes": episodes})
    return (
        measured_on(video_prediction.horizon_chart(horizons), words),
        measured_on(video_prediction.noise_chart(losses), words),
        measured_on(video_prediction.counterfactual_chart(counterfactuals), "the sample world's tabletop"),
    )


def record_run(
    checkpoint: Checkpoint,
    spec: dict[str, Any],
    summary: pd.DataFrame,
    differences: pd.DataFrame,
    counterfactuals: pd.DataFrame,
    parameters: VideoPredictionParameters,
) -> dict[str, Any]:
    """What the run is, how it was measured, and all of its numbers."""
    from vidrep_pipelines.adapters.video_prediction import facts_of_run
    from vidrep_pipelines.evaluation.video_prediction.run_records import measures_of_run

    facts = facts_of_run(checkpoint, spec, parameters.sampling, parameters.evaluation)
    return {**facts, **measures_of_run(summary, differences, counterfactuals)}


def compare_seeds(runs: pd.DataFrame) -> pd.DataFrame:
    """Runs of one recipe that were measured alike, side by side."""
    from vidrep_pipelines.evaluation.video_prediction.run_records import seeds_table

    return seeds_table(runs)
