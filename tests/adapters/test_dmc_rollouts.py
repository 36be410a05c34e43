"""What a policy is compared with in DM Control."""

from pathlib import Path
from typing import Any

import pytest

from tests.helpers.dmc_world import use_fake_dmc
from vidrep_pipelines.adapters.coded_actions import CodedMaker
from vidrep_pipelines.adapters.rollout_worlds import RolloutWorld
from vidrep_pipelines.adapters.rollouts_config import RolloutParameters
from vidrep_pipelines.adapters.vpp_policy import VppPolicyMaker
from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.data.sample_world.tabletop import TabletopEpisodesConfig
from vidrep_pipelines.data.sources.dm_control.demonstration_config import DmcEpisodesConfig, DmcPicturesConfig
from vidrep_pipelines.evaluation.rollouts.dmc import DmcControllerMaker, DmcMaker
from vidrep_pipelines.evaluation.rollouts.floors import StillMaker, UniformMaker

WORLD = DmcEpisodesConfig(
    pictures=DmcPicturesConfig(width=16, height=16),
    control_steps=40,
    action_repeat=2,
    noise=0.0,
    test_layouts=6,
)
TRAINED = VppPolicyMaker(Path("policy"), Path("video"), Path("codec"), ("fixed",))


def chosen(dmc: DmcEpisodesConfig | None = WORLD, **fields: Any) -> RolloutWorld:
    given = {"world": "dmc", "episodes": 6, "rollout": {"execute_steps": 5, "most_steps": 20}, **fields}
    return RolloutWorld(RolloutParameters.model_validate(given), TabletopEpisodesConfig(), None, dmc)


def test_every_condition_differs_from_the_policy_in_one_thing() -> None:
    conditions = {one.name: one for one in chosen().conditions(TRAINED)}
    trained = conditions["trained"]
    assert set(conditions) == {
        "trained",
        "swapped",
        "untrained",
        "uniform",
        "still",
        "scripted",
        "scripted_coded",
    }
    assert all(one.environment == DmcMaker(WORLD) for one in conditions.values())
    assert all(one.starts == trained.starts for name, one in conditions.items() if name != "swapped")
    for start, other in zip(trained.starts, conditions["swapped"].starts, strict=True):
        assert (start.name, start.seed) == (other.name, other.seed)
        assert start.instruction != other.instruction
    assert conditions["still"].policy == StillMaker((0.0, 0.0), 5)
    assert conditions["uniform"].policy == UniformMaker((-1.0, -1.0), (1.0, 1.0), 5)
    assert conditions["scripted"].policy == DmcControllerMaker(WORLD, 5)
    assert conditions["scripted_coded"].policy == CodedMaker(DmcControllerMaker(WORLD, 5), Path("policy"))
    assert conditions["still"].settings["renderer"] == "dmc/fast_16x16" and list(chosen().cameras) == [
        "fixed"
    ]


def test_what_has_no_meaning_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"robot_episodes\.dmc is null\. Remedy"):
        chosen(None).conditions(TRAINED)
    with pytest.raises(ConfigurationError, match=r"most_steps is 10, and episodes .* are 20 actions long"):
        chosen(rollout={"execute_steps": 5, "most_steps": 10}).conditions(TRAINED)
    alone = WORLD.model_copy(update={"tasks": ("reacher-easy",)})
    with pytest.raises(ConfigurationError, match="reacher-easy is the only one"):
        chosen(alone, conditions=["swapped"]).conditions(TRAINED)


def test_an_oracle_is_replayed(monkeypatch: pytest.MonkeyPatch) -> None:
    use_fake_dmc(monkeypatch)
    chosen().require_oracle()
