"""Nodes that let a trained policy act, and say how often it did what it was told."""

import logging
from typing import Any

import pandas as pd
from PIL.Image import Image

from vidrep_pipelines.adapters.rollouts_config import RolloutParameters
from vidrep_pipelines.datasets.checkpoint import Checkpoint
from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.fanout.job import Job
from vidrep_pipelines.fanout.parts import Parts
from vidrep_pipelines.pipelines.config import TrackingConfig
from vidrep_pipelines.pipelines.data_in_words import data_in_words
from vidrep_pipelines.pipelines.ingest.robot_episodes_nodes import RobotEpisodesConfig
from vidrep_pipelines.training.config import LaunchConfig

_log = logging.getLogger(__name__)


def roll_out_policy(
    policy: Checkpoint,
    video_model: Checkpoint,
    codec: Checkpoint,
    config: RolloutParameters,
    episodes: RobotEpisodesConfig,
    launch: LaunchConfig,
    fanout: FanOutConfig,
) -> Job:
    """Episodes of the policy and of its floors, after recorded actions have succeeded again."""
    from vidrep_pipelines.adapters.rollout_worlds import RolloutWorld
    from vidrep_pipelines.adapters.vpp_policy import VppPolicyMaker
    from vidrep_pipelines.evaluation.rollouts.rollout_job import rollout_job
    from vidrep_pipelines.fanout.devices import workers_for_device
    from vidrep_pipelines.training.distributed import choose_device

    world = RolloutWorld(config, episodes.tabletop, episodes.metaworld, episodes.dmc)
    world.require_oracle()
    chosen, device = config.root, choose_device(launch).type
    trained = VppPolicyMaker.of(policy, video_model, codec, world.cameras, device)
    conditions = world.conditions(trained)
    return rollout_job(conditions, chosen.block, chosen.environments, workers_for_device(fanout, device))


def describe_rollouts(
    policy: Checkpoint,
    video_model: Checkpoint,
    codec: Checkpoint,
    config: RolloutParameters,
    episodes: RobotEpisodesConfig,
) -> dict[str, Any]:
    """All that determines the result of each condition."""
    from vidrep_pipelines.adapters.rollout_worlds import RolloutWorld
    from vidrep_pipelines.adapters.vpp_policy import VppPolicyMaker

    world = RolloutWorld(config, episodes.tabletop, episodes.metaworld, episodes.dmc)
    trained = VppPolicyMaker.of(policy, video_model, codec, world.cameras)
    return {one.name: one.settings for one in world.conditions(trained)}


def film_rollouts(
    policy: Checkpoint,
    video_model: Checkpoint,
    codec: Checkpoint,
    config: RolloutParameters,
    episodes: RobotEpisodesConfig,
    launch: LaunchConfig,
    fanout: FanOutConfig,
) -> Job:
    """A film per episode: what was told, seen and imagined, and how it ended."""
    from vidrep_pipelines.adapters.rollout_worlds import RolloutWorld
    from vidrep_pipelines.adapters.vpp_policy import VppPolicyMaker
    from vidrep_pipelines.evaluation.rollouts.film_job import film_job
    from vidrep_pipelines.fanout.devices import workers_for_device
    from vidrep_pipelines.training.distributed import choose_device

    world = RolloutWorld(config, episodes.tabletop, episodes.metaworld, episodes.dmc)
    device = choose_device(launch).type
    trained = VppPolicyMaker.of(policy, video_model, codec, world.cameras, device)
    return film_job(world.filmed(trained), config.root.films, workers_for_device(fanout, device))


def tabulate_rollouts(
    parts: Parts, tracking: TrackingConfig
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, dict[str, float]]:
    """Rows of all episodes, shares of success by condition and task, comparisons in pairs, and the log's."""
    from vidrep_pipelines.adapters.rollouts import comparisons_with_trained, metrics_of_rollouts
    from vidrep_pipelines.evaluation.rollouts.rollout_job import rows_of_rollouts
    from vidrep_pipelines.evaluation.rollouts.tables import success_table
    from vidrep_pipelines.reporting.rollouts import success_text

    del tracking  # the hook logs the numbers
    rows = rows_of_rollouts(parts)
    together = success_table(rows.assign(task="all"), by=("condition", "task"))
    by_task = success_table(rows, by=("condition", "task"))
    comparisons = comparisons_with_trained(rows)
    _log.info("success:\n%s", success_text(together))
    successes = pd.concat([together, by_task], ignore_index=True)
    return rows, successes, comparisons, metrics_of_rollouts(together, comparisons)


def paint_successes(successes: pd.DataFrame, config: RolloutParameters) -> Image:
    """Shares of success with intervals, for all tasks together and for each."""
    from vidrep_pipelines.reporting.pictures import measured_on
    from vidrep_pipelines.reporting.rollouts import success_bars

    together = successes["task"] == "all"
    title = "A policy in closed loop, and its floors"
    picture = success_bars(successes[together], successes[~together], title)
    return measured_on(picture, data_in_words("rollout", {"rollout": config}))
