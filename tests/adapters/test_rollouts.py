"""What a policy is compared with on the tabletop."""

from pathlib import Path

import pandas as pd
import pytest

from vidrep_pipelines.adapters.coded_actions import CodedMaker
from vidrep_pipelines.adapters.rollouts import (
    comparisons_with_trained,
    metrics_of_rollouts,
    tabletop_conditions,
)
from vidrep_pipelines.adapters.rollouts_config import TabletopRolloutConfig
from vidrep_pipelines.adapters.vpp_policy import VppPolicyMaker
from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.data.sample_world.tabletop import TabletopConfig, TabletopEpisodesConfig
from vidrep_pipelines.evaluation.rollouts.tables import success_table
from vidrep_pipelines.evaluation.rollouts.tabletop import TabletopMaker

WORLD = TabletopEpisodesConfig(
    table=TabletopConfig(width=32, height=32, objects_max=2, cameras=("front",)), test_tables=3
)
TRAINED = VppPolicyMaker(Path("policy"), Path("video"), Path("codec"), ("front",))


def test_every_condition_differs_from_the_policy_in_one_thing() -> None:
    config = TabletopRolloutConfig(episodes=3)
    conditions = {one.name: one for one in tabletop_conditions(config, WORLD, TRAINED)}
    assert list(conditions) == list(config.conditions)
    trained = conditions["trained"]
    assert isinstance(trained.policy, VppPolicyMaker) and trained.policy.sampling == config.sampling
    assert all(one.starts == trained.starts for name, one in conditions.items() if "swapped" not in name)
    assert conditions["swapped"].starts == conditions["swapped_told"].starts != trained.starts
    assert conditions["swapped"].policy == trained.policy
    judges = {name: one.environment for name, one in conditions.items()}
    assert judges.pop("swapped") == TabletopMaker(WORLD, "recorded")
    assert set(judges.values()) == {TabletopMaker(WORLD, "told")}
    arm = conditions["scripted"].policy
    assert conditions["scripted_coded"].policy == CodedMaker(arm, Path("policy"))
    assert conditions["untrained"].policy == VppPolicyMaker(
        *(Path(name) for name in ("policy", "video", "codec")),
        ("front",),
        sampling=config.sampling,
        untrained=True,
    )


def test_too_few_tables() -> None:
    with pytest.raises(ConfigurationError, match="test_tables"):
        tabletop_conditions(TabletopRolloutConfig(episodes=4), WORLD, TRAINED)


def test_comparisons_and_metrics() -> None:
    episodes = [f"tabletop/test/{number}" for number in range(4)]
    success = {"trained": [True, True, True, False], "still": [False, False, True, False]}
    rows = pd.DataFrame(
        [
            {
                "condition": name,
                "task": "lift_up",
                "episode": episode,
                "renderer": "r",
                "success": done,
                "steps": 9,
            }
            for name, own in success.items()
            for episode, done in zip(episodes, own, strict=True)
        ]
    )
    comparisons = comparisons_with_trained(rows)
    [together] = comparisons[comparisons["task"] == "all"].to_dict("records")
    assert (together["than"], together["difference"], together["only_second"]) == ("still", 0.5, 2)
    metrics = metrics_of_rollouts(success_table(rows, by=("condition",)), comparisons)
    assert metrics["success/trained"] == 0.75 and metrics["success/still"] == 0.25
    assert metrics["lead_over_still"] == 0.5
    assert metrics["lead_over_still/low"] <= 0.5 <= metrics["lead_over_still/high"]
    assert comparisons_with_trained(rows[rows["condition"] == "still"]).empty
