"""What a closed-loop evaluation of a policy on the sample world's tabletop consists of."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import pandas as pd
from pydantic import Field

from vidrep_pipelines.adapters.vpp_policy import VppPolicyMaker
from vidrep_pipelines.common.config import FrozenConfig
from vidrep_pipelines.data.sample_world.tabletop import TabletopEpisodesConfig
from vidrep_pipelines.data.sample_world.world import ACTION_NAMES
from vidrep_pipelines.evaluation.rollouts.config import RolloutConfig
from vidrep_pipelines.evaluation.rollouts.floors import StillMaker, UniformMaker
from vidrep_pipelines.evaluation.rollouts.protocol import EpisodeStart, PolicyMaker
from vidrep_pipelines.evaluation.rollouts.replay import require_replay
from vidrep_pipelines.evaluation.rollouts.rollout_job import RolloutCondition
from vidrep_pipelines.evaluation.rollouts.tables import ALL_TASKS, compare_runs
from vidrep_pipelines.evaluation.rollouts.tabletop import (
    JudgeName,
    PartName,
    ScriptedArmMaker,
    TabletopMaker,
    scripted_episodes,
    swapped_starts,
    tabletop_starts,
)
from vidrep_pipelines.models.vpp.policy.config import ActionSamplingConfig
from vidrep_pipelines.models.vpp.policy.features_config import FeatureNoiseConfig

ConditionName = Literal["trained", "swapped", "swapped_told", "untrained", "uniform", "still", "scripted"]

TRAINED: ConditionName = "trained"
"""The condition that all others are compared with."""

_REPLAYED = 5


class TabletopRolloutConfig(FrozenConfig):
    """How a policy is evaluated on the tabletop (``params:rollout``)."""

    part: PartName = "test"
    """Which tables: those to choose settings by, or those that are looked at once."""

    episodes: int = Field(50, ge=1)
    """Tables, the first ones of the part, each with the instruction that it was recorded under."""

    conditions: tuple[ConditionName, ...] = (
        *("trained", "swapped", "swapped_told", "untrained", "uniform", "still", "scripted"),
    )
    """What is compared. ``trained``: the policy. ``swapped``: the policy, told something about another
    object, while success is still that of the recorded instruction; ``swapped_told``: the same, and success
    is that of what it is told. ``untrained``: the same network with random weights. ``uniform`` and
    ``still``: actions by chance, and none. ``scripted``: the arm that made the demonstrations."""

    rollout: RolloutConfig = RolloutConfig(execute_steps=5, most_steps=40)
    """Execution horizon, length of an episode, when pictures are drawn, seed."""

    sampling: ActionSamplingConfig = ActionSamplingConfig()
    """How actions are sampled."""

    noise: FeatureNoiseConfig | None = None
    """Behind which noise features are read. None: as in training."""

    block: int = Field(25, ge=1)
    """Episodes of one item of work."""

    environments: int = Field(25, ge=1)
    """Environments of an item, which run in lock step, so that the policy plans for all at once."""


def tabletop_conditions(
    config: TabletopRolloutConfig, world: TabletopEpisodesConfig, trained: VppPolicyMaker
) -> list[RolloutCondition]:
    """What is compared, after recorded actions were replayed.

    Args:
        config: Which episodes and conditions.
        world: How tables are drawn and filmed.
        trained: The policy.

    Raises:
        ConfigurationError: There are too few tables, or what the scripted arm did does not succeed again.
    """
    starts = tabletop_starts(world, config.part, config.episodes)
    require_replay(TabletopMaker(world).make, scripted_episodes(starts[:_REPLAYED], world))
    trained = replace(trained, sampling=config.sampling, noise=config.noise)
    return [_condition(name, config, world, starts, trained) for name in config.conditions]


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
    elif name == "scripted":
        policy, rollout = ScriptedArmMaker(world), rollout.model_copy(update={"execute_steps": 1})
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
    together = comparisons[comparisons["task"] == ALL_TASKS].set_index("than")
    leads = {f"lead_over_{than}": float(together.at[than, "difference"]) for than in together.index}
    bounds = {
        f"lead_over_{than}/{side}": float(together.at[than, side])
        for than in together.index
        for side in ("low", "high")
    }
    return shares | leads | bounds
