"""What a closed-loop evaluation of a policy in MetaWorld consists of."""

from collections.abc import Sequence
from dataclasses import replace

from vidrep_pipelines.adapters.rollouts_config import MetaworldConditionName, MetaworldRolloutConfig
from vidrep_pipelines.adapters.simulator_conditions import acting_under
from vidrep_pipelines.adapters.vpp_policy import VppPolicyMaker
from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.data.sources.metaworld.config import MetaworldEpisodesConfig
from vidrep_pipelines.data.sources.metaworld.simulator import ACTION_SIZE
from vidrep_pipelines.evaluation.rollouts.metaworld import (
    MetaworldExpertMaker,
    MetaworldMaker,
    expert_episodes,
    metaworld_starts,
    told_another_task,
)
from vidrep_pipelines.evaluation.rollouts.protocol import EpisodeStart
from vidrep_pipelines.evaluation.rollouts.replay import require_replay
from vidrep_pipelines.evaluation.rollouts.rollout_job import RolloutCondition

_REPLAYED = 2


def metaworld_conditions(
    config: MetaworldRolloutConfig, world: MetaworldEpisodesConfig, trained: VppPolicyMaker
) -> list[RolloutCondition]:
    """What is compared.

    Args:
        config: Which episodes and conditions.
        world: Which tasks and layouts, and how they are filmed.
        trained: The policy.

    Raises:
        ConfigurationError: There are too few layouts, or one task only where another is to be told.
    """
    starts = metaworld_starts(world, config.part, config.episodes)
    trained = replace(trained, sampling=config.sampling, noise=config.noise)
    return [_condition(name, config, world, starts, trained) for name in config.conditions]


def require_expert_success(config: MetaworldRolloutConfig, world: MetaworldEpisodesConfig) -> None:
    """Replays what the experts do in a few layouts of each task.

    Raises:
        ConfigurationError: There are too few layouts, it does not succeed again, or a policy would have less
            time than an expert needs.
        InputError: No expert succeeds in any of them.
        MissingExtraError: MetaWorld is not installed.
    """
    recorded = expert_episodes(metaworld_starts(world, config.part, config.episodes), world, _REPLAYED)
    longest = max(recorded, key=lambda episode: len(episode.actions), default=None)
    if longest is not None and len(longest.actions) > config.rollout.most_steps:
        raise ConfigurationError(
            f"rollout.rollout.most_steps is {config.rollout.most_steps}, and the expert needs "
            f"{len(longest.actions)} for {longest.start.name}. Remedy: raise it, to 200 or so."
        )
    require_replay(MetaworldMaker(world.pictures).make, recorded)


def _condition(
    name: MetaworldConditionName,
    config: MetaworldRolloutConfig,
    world: MetaworldEpisodesConfig,
    starts: Sequence[EpisodeStart],
    trained: VppPolicyMaker,
) -> RolloutCondition:
    executed = config.rollout.execute_steps
    policy = acting_under(name, trained, MetaworldExpertMaker(world, executed), ACTION_SIZE, executed)
    told = told_another_task(starts, world) if name == "swapped" else starts
    return RolloutCondition(name, MetaworldMaker(world.pictures), policy, tuple(told), config.rollout)
