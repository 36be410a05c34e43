"""Nodes that clone behavior on frozen features, and try it out."""

import logging
from typing import TYPE_CHECKING, Any

import pandas as pd
from PIL.Image import Image

from vidrep_pipelines.evaluation.robot_cloning.config import RobotEvaluationConfig
from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.fanout.job import Job
from vidrep_pipelines.fanout.parts import Parts
from vidrep_pipelines.pipelines.config import TrackingConfig
from vidrep_pipelines.pipelines.data_in_words import data_in_words
from vidrep_pipelines.pipelines.ingest.robot_episodes_nodes import RobotEpisodesConfig

if TYPE_CHECKING:
    from vidrep_pipelines.adapters.robot_rollouts import RobotEvaluation
    from vidrep_pipelines.data.frame_store.store import FrameStore
else:
    FrameStore = RobotEvaluation = Any  # their modules take seconds to import

_log = logging.getLogger(__name__)


def extract_demonstrations(
    frames: FrameStore,
    encoders: list[dict[str, Any]],
    config: RobotEvaluationConfig,
    demos: RobotEpisodesConfig,
    fanout: FanOutConfig,
) -> Job:
    """One item per input and demonstration: features of its frames, once for all heads."""
    from vidrep_pipelines.adapters.robot_inputs import frame_feature_job

    own = _evaluation(frames, encoders, config, demos)
    return frame_feature_job(own.inputs, own.demonstrations, own.store, own.world, config, fanout)


def clone_heads(
    frames: FrameStore,
    encoders: list[dict[str, Any]],
    features: Parts,
    config: RobotEvaluationConfig,
    demos: RobotEpisodesConfig,
    fanout: FanOutConfig,
) -> Job:
    """One item per input, task and seed, after recorded actions have succeeded again."""
    from vidrep_pipelines.evaluation.robot_cloning.head_training import cloning_job

    own = _evaluation(frames, encoders, config, demos)
    own.require_oracle(frames)
    heads = own.heads(features)
    return cloning_job(heads, own.feature_digests(heads, features), fanout)


def roll_out_to_choose(
    frames: FrameStore,
    encoders: list[dict[str, Any]],
    heads: Parts,
    config: RobotEvaluationConfig,
    demos: RobotEpisodesConfig,
    fanout: FanOutConfig,
) -> Job:
    """Episodes of every head at every time at which it was kept; none where there is nothing to choose."""
    from vidrep_pipelines.adapters.robot_rollouts import require_heads
    from vidrep_pipelines.evaluation.robot_cloning.robot_report import attempts_of

    kept = config.head.kept
    attempts = attempts_of(require_heads(heads), kept if len(kept) > 1 else ())
    own = _evaluation(frames, encoders, config, demos)
    return own.rollouts(own.conditions(heads, attempts, config.select_on), fanout)


def choose_heads(heads: Parts, selection: Parts, config: RobotEvaluationConfig) -> pd.DataFrame:
    """Of every head the last and the best time at which it was kept."""
    from vidrep_pipelines.evaluation.robot_cloning.robot_report import attempts_of, choose_attempts
    from vidrep_pipelines.evaluation.rollouts.rollout_job import rows_of_rollouts

    rows = rows_of_rollouts(selection) if len(selection.table) else None
    return choose_attempts(attempts_of(heads.ids, config.head.kept), rows)


def roll_out_heads(
    frames: FrameStore,
    encoders: list[dict[str, Any]],
    heads: Parts,
    chosen: pd.DataFrame,
    config: RobotEvaluationConfig,
    demos: RobotEpisodesConfig,
    fanout: FanOutConfig,
) -> Job:
    """Episodes of the chosen heads, and of who made the demonstrations, all in the same layouts."""
    own = _evaluation(frames, encoders, config, demos)
    conditions = [*own.conditions(heads, chosen, config.part), *own.expert_conditions()]
    return own.rollouts(conditions, fanout)


def tabulate_robot(
    frames: FrameStore,
    encoders: list[dict[str, Any]],
    episodes: Parts,
    chosen: pd.DataFrame,
    config: RobotEvaluationConfig,
    demos: RobotEpisodesConfig,
    tracking: TrackingConfig,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, dict[str, Any], dict[str, Any]]:
    """Rows of episodes, success with intervals, differences to floors, where and how, and plain numbers."""
    from vidrep_pipelines.evaluation.robot_cloning.robot_report import (
        compare_with,
        robot_metrics,
        summarize_attempts,
        with_attempts,
    )
    from vidrep_pipelines.evaluation.rollouts.rollout_job import rows_of_rollouts

    del tracking  # the hook logs the numbers
    own, rows = _evaluation(frames, encoders, config, demos), rows_of_rollouts(episodes)
    summary = summarize_attempts(rows, chosen, own.names)
    comparisons = compare_with(rows, chosen, own.floors)
    return with_attempts(rows), summary, comparisons, own.described, robot_metrics(summary, own.names)


def robot_success_picture(
    summary: pd.DataFrame, config: RobotEvaluationConfig, demos: RobotEpisodesConfig
) -> Image:
    """Success of all inputs with intervals, for all tasks together; it says where, and by which renderer."""
    from vidrep_pipelines.reporting.label_propagation import interval_bars
    from vidrep_pipelines.reporting.pictures import measured_on

    together = summary[summary["task"] == "all"]
    count, seeds = int(together["episodes"].max()), len(config.seeds)
    title = f"Cloned behavior in {count} layouts, {seeds} {'head' if seeds == 1 else 'heads'} a task"
    picture = interval_bars(together, list(dict.fromkeys(together["measure"])), title)
    words = data_in_words("robot_demos", {"robot_demos": demos})
    return measured_on(picture, f"{words}, simulated ({together['renderer'].iloc[0]})")


def _evaluation(
    frames: FrameStore,
    encoders: list[dict[str, Any]],
    config: RobotEvaluationConfig,
    demos: RobotEpisodesConfig,
) -> RobotEvaluation:
    from vidrep_pipelines.adapters.robot_rollouts import RobotEvaluation

    return RobotEvaluation.of(frames, encoders, config, demos.tabletop, demos.metaworld, demos.dmc)
