"""Nodes that train policies which differ in one thing or two, and compare how often they succeed."""

import logging
from typing import TYPE_CHECKING, Any

import pandas as pd
from PIL.Image import Image

from vidrep_pipelines.adapters.policy_ablation_config import AblatedPolicy, PolicyAblationConfig
from vidrep_pipelines.datasets.checkpoint import Checkpoint, CheckpointSource
from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.fanout.job import Job
from vidrep_pipelines.fanout.parts import Parts
from vidrep_pipelines.models.vpp.policy.features_config import FeatureStoreConfig
from vidrep_pipelines.models.vpp.policy.items_config import PolicyItemsConfig
from vidrep_pipelines.pipelines.config import FoldersConfig, TrackingConfig
from vidrep_pipelines.pipelines.data_in_words import data_in_words
from vidrep_pipelines.pipelines.downstream_eval.video_prediction_nodes import VideoPredictionParameters
from vidrep_pipelines.pipelines.ingest.robot_episodes_nodes import RobotEpisodesConfig
from vidrep_pipelines.pipelines.pretrain.shared_nodes import train, weights_file
from vidrep_pipelines.pipelines.pretrain.vpp_policy_nodes import (
    PolicyParameters,
    policy_task,
    policy_training_spec,
)
from vidrep_pipelines.training.config import LaunchConfig

if TYPE_CHECKING:
    from vidrep_pipelines.data.frame_store.store import FrameStore
else:
    FrameStore = Any  # its module takes seconds to import

_FOLDER = "ablate_vpp_policy"
_log = logging.getLogger(__name__)


def publish_earlier_video_models(
    video_model: Checkpoint, spec: dict[str, Any], config: PolicyAblationConfig
) -> dict[str, CheckpointSource]:
    """The video model before the end of its training, after each number of updates that is asked for.

    Its weights are those of checkpoints that the training kept.
    """
    from vidrep_pipelines.adapters.policy_ablation import kept_video_models
    from vidrep_pipelines.training.config import TrainSpec

    training = TrainSpec.model_validate(spec)
    origin: dict[str, Any] = {
        name: video_model.meta[name] for name in ("system", "digest") if name in video_model.meta
    }
    return {
        f"updates_{updates}": CheckpointSource(
            directory,
            config=video_model.config,
            meta={**origin, "step": updates},
            weights=weights_file(training.train.ema_decay),
        )
        for updates, directory in kept_video_models(config, video_model, training).items()
    }


def describe_feature_sets(
    video_model: Checkpoint,
    earlier: dict[str, Checkpoint],
    codec: Checkpoint,
    frames: FrameStore,
    encoders: list[dict[str, Any]],
    config: PolicyAblationConfig,
    read: FeatureStoreConfig,
) -> dict[str, Any]:
    """What computes each set of features, with digests of all weights and the shape of the features."""
    from vidrep_pipelines.adapters.encoders import encoder_sources_of
    from vidrep_pipelines.adapters.policy_features import ablation_sources, updates_of
    from vidrep_pipelines.models.vpp.policy.feature_plan import FeatureSources

    video = FeatureSources(video_model, codec, frames, None)
    known = encoder_sources_of(encoders)
    before = {updates_of(checkpoint): checkpoint for checkpoint in earlier.values()}
    sources = ablation_sources(config, video, known, read, before)
    return {name: source.model_dump(mode="json") for name, source in sources.items()}


def extract_feature_sets(
    described: dict[str, Any],
    frames: FrameStore,
    items: PolicyItemsConfig,
    config: PolicyAblationConfig,
    stored: FeatureStoreConfig,
    launch: LaunchConfig,
    fanout: FanOutConfig,
) -> Job:
    """One item per set and shard of frames; how much it is, is said before."""
    from vidrep_pipelines.adapters.policy_feature_sets import feature_sets_job
    from vidrep_pipelines.adapters.policy_features import feature_sources_of
    from vidrep_pipelines.fanout.devices import workers_for_device
    from vidrep_pipelines.training.distributed import choose_device

    device = choose_device(launch).type
    workers = workers_for_device(fanout, device)
    return feature_sets_job(feature_sources_of(described), frames, items, config, stored, device, workers)


def plan_policies(
    described: dict[str, Any],
    features: Parts,
    frames: FrameStore,
    items: PolicyItemsConfig,
    config: PolicyAblationConfig,
    parameters: PolicyParameters,
    episodes: RobotEpisodesConfig,
    launch: LaunchConfig,
    folders: FoldersConfig,
) -> dict[str, Any]:
    """By name the complete description of the training of each policy.

    Actions are normalized by the demonstrations that a policy has, and by no others.
    """
    from vidrep_pipelines.adapters.policy_feature_sets import seen_features_of_set
    from vidrep_pipelines.adapters.policy_features import feature_sources_of
    from vidrep_pipelines.models.vpp.policy.statistics import split_statistics

    sources = feature_sources_of(described)
    seen = {name: seen_features_of_set(name, source, features, frames) for name, source in sources.items()}
    specs, learned = dict[str, Any](), dict[int | None, Any]()
    for name, policy in config.used.items():
        own = items.model_copy(update={"episodes": policy.episodes or items.episodes})
        if own.episodes not in learned:
            learned[own.episodes] = split_statistics(frames, own)["train"]
        changed = _parameters_of(policy, parameters, config.train_steps)
        statistics = learned[own.episodes]
        task = policy_task(frames, seen[policy.features], statistics, own, changed, episodes.frames)
        spec = policy_training_spec(task, frames, changed, launch, folders, f"{_FOLDER}/{name}")
        specs[name] = spec.model_dump(mode="json")
    return specs


def _parameters_of(
    policy: AblatedPolicy, parameters: PolicyParameters, steps: int | None
) -> PolicyParameters:
    model, objective, sampling = parameters.chosen()
    if policy.cross_causal is not None:
        denoiser = model.denoiser.model_copy(update={"cross_causal": policy.cross_causal})
        model = model.model_copy(update={"denoiser": denoiser})
    length = {} if steps is None else {"steps": steps, "epochs": None}
    return parameters.model_copy(
        update={
            **{"preset": None, "model": model, "objective": objective, "sampling": sampling},
            "train": parameters.train.model_copy(update=length),
        }
    )


def train_policies(
    specs: dict[str, Any], tracking: TrackingConfig
) -> tuple[dict[str, CheckpointSource], pd.DataFrame, dict[str, Any]]:
    """Trains one policy after the other, resumes, or finds that a run is finished and unchanged.

    Curves of many policies would be drawn over one another in a tracked run; they are in the log.
    """
    apart = tracking.model_copy(update={"run_id": None})
    sources, logs, metrics = dict[str, CheckpointSource](), list[pd.DataFrame](), dict[str, Any]()
    for number, (name, spec) in enumerate(specs.items(), start=1):
        _log.info("ablate_vpp_policy: policy %d of %d, %s.", number, len(specs), name)
        sources[name], log, metrics[name] = train(spec, apart)
        logs.append(log.assign(policy=name))
    return sources, pd.concat(logs, ignore_index=True), metrics


def roll_out_policies(
    policies: dict[str, Checkpoint],
    described: dict[str, Any],
    config: PolicyAblationConfig,
    episodes: RobotEpisodesConfig,
    launch: LaunchConfig,
    fanout: FanOutConfig,
) -> Job:
    """Episodes of each policy and horizon on the same tables, after recorded actions have succeeded again."""
    from vidrep_pipelines.adapters.policy_ablation import ablation_conditions
    from vidrep_pipelines.adapters.policy_features import feature_sources_of
    from vidrep_pipelines.adapters.rollouts import require_scripted_success
    from vidrep_pipelines.evaluation.rollouts.rollout_job import rollout_job
    from vidrep_pipelines.fanout.devices import workers_for_device
    from vidrep_pipelines.training.distributed import choose_device

    world, device = episodes.tabletop, choose_device(launch).type
    require_scripted_success(config.rollouts, world)
    conditions = ablation_conditions(config, policies, feature_sources_of(described), world, device)
    workers = workers_for_device(fanout, device)
    return rollout_job(conditions, config.rollouts.block, config.rollouts.environments, workers)


def tabulate_policies(
    parts: Parts,
    described: dict[str, Any],
    specs: dict[str, Any],
    config: PolicyAblationConfig,
    tracking: TrackingConfig,
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, float]]:
    """Rows of all episodes, the table of policies and horizons, and the same numbers for the log."""
    from vidrep_pipelines.adapters.policy_ablation import ablation_metrics, ablation_table
    from vidrep_pipelines.adapters.policy_features import feature_sources_of
    from vidrep_pipelines.evaluation.rollouts.rollout_job import rows_of_rollouts
    from vidrep_pipelines.reporting.policy_ablation import ablation_text

    del tracking  # with it the run is opened that the numbers and the picture after this are logged to
    rows = rows_of_rollouts(parts)
    table = ablation_table(rows, config, specs, feature_sources_of(described))
    _log.info("success, and difference from %s:\n%s", config.reference, ablation_text(table))
    return rows, table, ablation_metrics(table)


def paint_ablation(table: pd.DataFrame, episodes: RobotEpisodesConfig) -> Image:
    """Success against demonstrations, by features, and against the execution horizon."""
    from vidrep_pipelines.reporting.pictures import measured_on
    from vidrep_pipelines.reporting.policy_ablation import ablation_picture

    words = data_in_words("robot_episodes", {"robot_episodes": episodes})
    return measured_on(ablation_picture(table, "A policy, one thing at a time"), words)


def film_asked_tables(
    frames: FrameStore,
    spec: dict[str, Any],
    config: PolicyAblationConfig,
    episodes: RobotEpisodesConfig,
    fanout: FanOutConfig,
) -> Job:
    """One item per table of the sample world, filmed under all of its instructions."""
    from vidrep_pipelines.adapters.counterfactual_videos import tabletop_trajectories, tested_tables_job
    from vidrep_pipelines.adapters.instruction_scores import tabletop_tables
    from vidrep_pipelines.models.vpp.video.task import VideoTask

    task = VideoTask.model_validate(spec["task_config"])
    names = tabletop_tables(config, tabletop_trajectories(frames))
    return tested_tables_job(names, task, episodes, config.instruction_scores.tables, fanout)


def ask_video_models(
    described: dict[str, Any],
    tables: Parts,
    spec: dict[str, Any],
    prediction: VideoPredictionParameters,
    launch: LaunchConfig,
    fanout: FanOutConfig,
) -> Job:
    """One item per table and video model that some policy looks at: do predictions follow the words?"""
    from vidrep_pipelines.adapters.instruction_scores import instruction_job
    from vidrep_pipelines.adapters.policy_features import feature_sources_of
    from vidrep_pipelines.fanout.devices import workers_for_device
    from vidrep_pipelines.models.vpp.video.task import VideoTask
    from vidrep_pipelines.training.distributed import choose_device

    task, device = VideoTask.model_validate(spec["task_config"]), choose_device(launch).type
    sources, workers = feature_sources_of(described), workers_for_device(fanout, device)
    how = prediction.sampling, prediction.evaluation
    return instruction_job(sources, tables, task, *how, device, workers)


def relate_scores(
    answers: Parts,
    table: pd.DataFrame,
    described: dict[str, Any],
    config: PolicyAblationConfig,
    prediction: VideoPredictionParameters,
    tracking: TrackingConfig,
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """By updates of the video model how well it follows the instruction and how often the policy succeeds."""
    from vidrep_pipelines.adapters.instruction_scores import score_metrics, scores_and_success
    from vidrep_pipelines.adapters.policy_features import feature_sources_of
    from vidrep_pipelines.reporting.policy_ablation import scores_text

    del tracking  # with it the run is opened that the numbers and the picture after this are logged to
    sources, intervals = feature_sources_of(described), prediction.evaluation.metrics
    scores = scores_and_success(answers, table, config, sources, intervals)
    _log.info("counterfactual test of the video model, and success of the policy:\n%s", scores_text(scores))
    return scores, score_metrics(scores)


def paint_scores(scores: pd.DataFrame) -> Image:
    """Success of the policy against how well its video model follows the instruction."""
    from vidrep_pipelines.reporting.policy_ablation import scores_picture

    return scores_picture(scores, "A policy on a video model after more and more updates")
