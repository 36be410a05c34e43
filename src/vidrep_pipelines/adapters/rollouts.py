"""What a closed-loop evaluation of a policy on the sample world's tabletop consists of."""

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from vidrep_pipelines.adapters.coded_actions import CodedMaker
from vidrep_pipelines.adapters.rollouts_config import ConditionName, TabletopRolloutConfig, TabletopRunConfig
from vidrep_pipelines.adapters.vpp_policy import VppPolicyMaker
from vidrep_pipelines.data.sample_world.tabletop import TabletopEpisodesConfig
from vidrep_pipelines.data.sample_world.world import ACTION_NAMES
from vidrep_pipelines.evaluation.rollouts.floors import StillMaker, UniformMaker
from vidrep_pipelines.evaluation.rollouts.protocol import EpisodeStart, PolicyMaker
from vidrep_pipelines.evaluation.rollouts.replay import require_replay
from vidrep_pipelines.evaluation.rollouts.rollout_job import RolloutCondition
from vidrep_pipelines.evaluation.rollouts.tables import ALL_TASKS, compare_runs
from vidrep_pipelines.evaluation.rollouts.tabletop import (
    JudgeName,
    ScriptedArmMaker,
    TabletopMaker,
    scripted_episodes,
    swapped_starts,
    tabletop_starts,
)

TRAINED: ConditionName = "trained"
"""The condition that all others are compared with."""

_REPLAYED = 5


def tabletop_conditions(
    config: TabletopRolloutConfig, world: TabletopEpisodesConfig, trained: VppPolicyMaker
) -> list[RolloutCondition]:
    """What is compared.

    Args:
        config: Which episodes and conditions.
        world: How tables are drawn and filmed.
        trained: The policy.

    Raises:
        ConfigurationError: There are too few tables.
    """
    starts = tabletop_starts(world, config.part, config.episodes)
    trained = replace(trained, sampling=config.sampling, noise=config.noise)
    return [_condition(name, config, world, starts, trained) for name in config.conditions]


def require_scripted_success(config: TabletopRunConfig, world: TabletopEpisodesConfig) -> None:
    """Replays what the scripted arm does on a few of the tables.

    Raises:
        ConfigurationError: It does not succeed again.
    """
    starts = tabletop_starts(world, config.part, config.episodes)[:_REPLAYED]
    require_replay(TabletopMaker(world).make, scripted_episodes(starts, world))


def _condition(
    name: ConditionName,
    config: TabletopRolloutConfig,
    world: TabletopEpisodesConfig,
    starts: Sequence[EpisodeStart],
    trained: VppPolicyMaker,
) -> RolloutCondition:
    policy: PolicyMaker = trained
    rollout, judge = config.rollout, _judge(name)
    if name == "untrained":
        policy = replace(trained, untrained=True)
    elif name == "uniform":
        highest = (1.0,) * len(ACTION_NAMES)
        policy = UniformMaker(tuple(-number for number in highest), highest, rollout.execute_steps)
    elif name == "still":
        policy = StillMaker((0.0,) * len(ACTION_NAMES), rollout.execute_steps)
    elif name in ("scripted", "scripted_coded"):
        arm, rollout = ScriptedArmMaker(world), rollout.model_copy(update={"execute_steps": 1})
        policy = arm if name == "scripted" else CodedMaker(arm, trained.policy)
    if name.startswith("swapped"):
        starts = swapped_starts(starts, world)
    return RolloutCondition(name, TabletopMaker(world, judge), policy, tuple(starts), rollout)


def _judge(name: ConditionName) -> JudgeName:
    return "recorded" if name == "swapped" else "told"


def comparisons_with_trained(rows: pd.DataFrame) -> pd.DataFrame:
    """The trained policy less each other condition on the same episodes, for all tasks together and for each.

    Args:
        rows: One per episode and condition, with the column ``condition``.

    Returns:
        The columns of :func:`~vidrep_pipelines.evaluation.rollouts.tables.compare_runs`, ``first`` being the
        other condition, whose name is in the column ``than``.
    """
    trained = rows[rows["condition"] == TRAINED]
    others = [name for name in rows["condition"].unique() if name != TRAINED]
    tables = [
        compare_runs(rows[rows["condition"] == name], trained).assign(than=name)
        for name in others
        if len(trained)
    ]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame({"than": [], "task": []})


def metrics_of_rollouts(successes: pd.DataFrame, comparisons: pd.DataFrame) -> dict[str, float]:
    """Share of success of every condition, and the lead of the trained policy with its interval, by name."""
    shares = {
        f"success/{name}": float(share) for name, share in successes[["condition", "success"]].to_numpy()
    }
    together = comparisons[comparisons["task"] == ALL_TASKS]
    named = together[["than", "difference", "low", "high"]].to_numpy()
    leads = {f"lead_over_{than}": float(difference) for than, difference, _, _ in named}
    lowest = {f"lead_over_{than}/low": float(low) for than, _, low, _ in named}
    highest = {f"lead_over_{than}/high": float(high) for than, _, _, high in named}
    return shares | leads | lowest | highest
