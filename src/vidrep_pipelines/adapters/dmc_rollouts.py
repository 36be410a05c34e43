"""What a closed-loop evaluation of a policy in DM Control consists of."""

from collections.abc import Sequence
from dataclasses import replace

from vidrep_pipelines.adapters.rollouts_config import DmcRolloutConfig, MetaworldConditionName
from vidrep_pipelines.adapters.simulator_conditions import acting_under
from vidrep_pipelines.adapters.vpp_policy import VppPolicyMaker
from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.data.sources.dm_control.demonstration_config import DmcEpisodesConfig
from vidrep_pipelines.data.sources.dm_control.simulator import DMC_ACTION_SIZE
from vidrep_pipelines.evaluation.rollouts.dmc import (
    DmcControllerMaker,
    DmcMaker,
    controller_episodes,
    dmc_starts,
    told_another_dmc_task,
)
from vidrep_pipelines.evaluation.rollouts.protocol import EpisodeStart
from vidrep_pipelines.evaluation.rollouts.replay import require_replay
from vidrep_pipelines.evaluation.rollouts.rollout_job import RolloutCondition

_REPLAYED = 2


def dmc_conditions(
    config: DmcRolloutConfig, world: DmcEpisodesConfig, trained: VppPolicyMaker
) -> list[RolloutCondition]:
    """What is compared.

    Args:
        config: Which episodes and conditions.
        world: Which tasks and starts, how long episodes are, and how they are filmed.
        trained: The policy.

    Raises:
        ConfigurationError: There are too few starts, one task only where another is to be told, or attempts
            would not be whole episodes.
    """
    if config.rollout.most_steps != world.episode_actions:
        raise ConfigurationError(
            f"rollout.rollout.most_steps is {config.rollout.most_steps}, and episodes of robot_episodes.dmc "
            f"are {world.episode_actions} actions long, all of which are scored. Remedy: set it to that."
        )
    starts = dmc_starts(world, config.part, config.episodes)
    trained = replace(trained, sampling=config.sampling, noise=config.noise)
    return [_condition(name, config, world, starts, trained) for name in config.conditions]


def require_controller_success(config: DmcRolloutConfig, world: DmcEpisodesConfig) -> None:
    """Replays what the controllers do from a few starts of each task.

    Raises:
        ConfigurationError: There are too few starts, or it does not succeed again.
        InputError: No controller succeeds in any of them.
        MissingExtraError: dm_control is not installed.
    """
    recorded = controller_episodes(dmc_starts(world, config.part, config.episodes), world, _REPLAYED)
    require_replay(DmcMaker(world).make, recorded)


def _condition(
    name: MetaworldConditionName,
    config: DmcRolloutConfig,
    world: DmcEpisodesConfig,
    starts: Sequence[EpisodeStart],
    trained: VppPolicyMaker,
) -> RolloutCondition:
    executed = config.rollout.execute_steps
    policy = acting_under(name, trained, DmcControllerMaker(world, executed), DMC_ACTION_SIZE, executed)
    told = told_another_dmc_task(starts, world) if name == "swapped" else starts
    return RolloutCondition(name, DmcMaker(world), policy, tuple(told), config.rollout)
