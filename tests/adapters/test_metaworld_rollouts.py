"""What a policy is compared with in MetaWorld, and which world is chosen."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tests.helpers.metaworld import use_fake_metaworld
from vidrep_pipelines.adapters.coded_actions import CodedMaker
from vidrep_pipelines.adapters.metaworld_rollouts import metaworld_conditions, require_expert_success
from vidrep_pipelines.adapters.rollout_worlds import RolloutWorld
from vidrep_pipelines.adapters.rollouts_config import (
    MetaworldRolloutConfig,
    RolloutParameters,
    TabletopRolloutConfig,
)
from vidrep_pipelines.adapters.vpp_policy import VppPolicyMaker
from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.data.sample_world.tabletop import TabletopConfig, TabletopEpisodesConfig
from vidrep_pipelines.data.sources.metaworld.config import MetaworldEpisodesConfig, MetaworldPicturesConfig
from vidrep_pipelines.evaluation.rollouts.metaworld import MetaworldExpertMaker, MetaworldMaker
from vidrep_pipelines.evaluation.rollouts.tabletop import TabletopMaker

WORLD = MetaworldEpisodesConfig(
    pictures=MetaworldPicturesConfig(width=16, height=16, cameras=("topview",)), test_layouts=6
)
TABLES = TabletopEpisodesConfig(
    table=TabletopConfig(width=32, height=32, objects_max=2, cameras=("side",)), test_tables=2
)
TRAINED = VppPolicyMaker(Path("policy"), Path("video"), Path("codec"), ("topview",))


def chosen(metaworld: MetaworldEpisodesConfig | None = WORLD, **fields: Any) -> RolloutWorld:
    return RolloutWorld(RolloutParameters.model_validate(fields), TABLES, metaworld)


def test_every_condition_differs_from_the_policy_in_one_thing() -> None:
    config = MetaworldRolloutConfig(world="metaworld", episodes=3)
    conditions = {one.name: one for one in metaworld_conditions(config, WORLD, TRAINED)}
    assert list(conditions) == list(config.conditions)
    trained = conditions["trained"]
    assert isinstance(trained.policy, VppPolicyMaker) and trained.policy.sampling == config.sampling
    assert {one.environment for one in conditions.values()} == {MetaworldMaker(WORLD.pictures)}
    assert all(one.starts == trained.starts for name, one in conditions.items() if name != "swapped")
    assert conditions["swapped"].policy == trained.policy
    for start, other in zip(trained.starts, conditions["swapped"].starts, strict=True):
        assert (start.name, start.seed) == (other.name, other.seed)
        assert start.instruction != other.instruction
    assert conditions["scripted"].policy == MetaworldExpertMaker(WORLD, 5)
    assert conditions["scripted_coded"].policy == CodedMaker(MetaworldExpertMaker(WORLD, 5), Path("policy"))
    assert conditions["still"].settings["renderer"] == "metaworld/fast_16x16"


def test_the_world_is_the_one_that_is_named_and_else_the_tabletop() -> None:
    fields: dict[str, Any] = {"episodes": 2, "conditions": ["still"]}
    tables, metaworld = chosen(**fields), chosen(world="metaworld", **fields)
    assert isinstance(tables.parameters.root, TabletopRolloutConfig)
    assert chosen(world="tabletop", **fields) == tables
    assert (list(tables.cameras), list(metaworld.cameras)) == (["side"], ["topview"])
    [still] = tables.conditions(TRAINED)
    assert still.environment == TabletopMaker(TABLES)
    [still] = metaworld.conditions(TRAINED)
    assert still.environment == MetaworldMaker(WORLD.pictures) and len(still.starts) == 4


def test_the_trained_policy_is_filmed_in_the_world_that_is_named() -> None:
    filmed = {
        world: chosen(world=world, episodes=2, imagination={"steps": 3}).filmed(TRAINED)
        for world in ("tabletop", "metaworld")
    }
    assert [one.name for one in filmed.values()] == ["trained"] * 2
    assert filmed["tabletop"].environment == TabletopMaker(TABLES)
    assert filmed["metaworld"].environment == MetaworldMaker(WORLD.pictures)
    for one in filmed.values():
        assert isinstance(one.policy, VppPolicyMaker) and one.policy.imagination is not None
        assert one.policy.imagination.steps == 3


def test_settings_of_the_tabletop_do_not_name_the_choice() -> None:
    [still] = chosen(episodes=1, conditions=["still"]).conditions(TRAINED)
    assert still.settings.keys() == {"version", "renderer", "environment", "policy", "rollout"}
    assert still.settings["rollout"].keys() == {"execute_steps", "most_steps", "render", "seed"}


def test_what_has_no_meaning_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"metaworld\.conditions"):
        chosen(world="metaworld", conditions=["swapped_told"])
    with pytest.raises(ValidationError, match="expected tags: 'tabletop', 'metaworld', 'dmc'"):
        chosen(world="kitchen")
    with pytest.raises(ValidationError, match="MetaWorld ends after 500 steps"):
        chosen(world="metaworld", rollout={"most_steps": 501})
    undescribed = chosen(None, world="metaworld")
    with pytest.raises(ConfigurationError, match=r"robot_episodes\.metaworld is null\. Remedy"):
        undescribed.conditions(TRAINED)


def test_an_oracle_is_replayed_and_time_enough_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    use_fake_metaworld(monkeypatch)
    chosen(world="metaworld", episodes=6).require_oracle()
    hurried = MetaworldRolloutConfig.model_validate(
        {"world": "metaworld", "episodes": 6, "rollout": {"most_steps": 2, "execute_steps": 1}}
    )
    with pytest.raises(ConfigurationError, match=r"most_steps is 2, and the expert needs \d+ for metaworld/"):
        require_expert_success(hurried, WORLD)
