from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pydantic import ValidationError

from tests.helpers.robot_clips import write_instance_sets
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.sample_world.agent_config import AgentEpisodesConfig
from vidrep_pipelines.data.sample_world.tabletop import TabletopEpisodesConfig
from vidrep_pipelines.data.sources.metaworld.config import MetaworldEpisodesConfig
from vidrep_pipelines.data.sources.robot_data_sets.config import LAYOUTS, RobotDataSetsConfig
from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.fanout.parts import Parts
from vidrep_pipelines.pipelines.ingest.robot_episodes_nodes import (
    RobotEpisodesConfig,
    assemble_robot_frames,
    prepare_robot_episodes,
)

FANOUT = FanOutConfig(engine="serial")
FEW = TabletopEpisodesConfig(train_tables=2, validation_tables=1, test_tables=1, held_out_tables=1)
AGENT = AgentEpisodesConfig(episodes=3)


def names(**fields: Any) -> list[str]:
    job = prepare_robot_episodes(RobotEpisodesConfig.model_validate({"tabletop": FEW, **fields}), FANOUT)
    return [item.id for item in job.items]


def test_without_a_data_set_there_is_the_tabletop() -> None:
    rendered = names()
    assert rendered[:3] == ["tabletop/train/00000", "tabletop/train/00001", "tabletop/validation/00000"]
    assert len(rendered) == 5


def test_with_a_data_set_the_tabletop_is_there_only_if_asked_for() -> None:
    agent = [f"sample_agent/push_000{number}" for number in range(3)]
    assert names(sample_agent=AGENT) == agent
    assert names(sample_agent=AGENT, with_tabletop=True) == [*agent, *names()]


def test_the_agents_episodes_are_annotated_whatever_its_own_setting() -> None:
    config = RobotEpisodesConfig(sample_agent=AGENT)
    job = prepare_robot_episodes(config, FANOUT)
    assert len({item.digest for item in job.items}) == 3
    with job.items[0].payload.source.open() as episode:
        assert episode.robot == "sample_agent" and episode.annotations.segments


def test_when_every_episode_fails_the_first_reason_is_given(tmp_path: Path) -> None:
    rows = {"id": ["a", "b"], "status": ["failed"] * 2, "error": ["no video. Remedy: one", "x"]}
    failed = Parts(tmp_path, pd.DataFrame(rows), (".h5",))
    with pytest.raises(InputError, match=r"None of 2 episodes could be prepared: no video\. Remedy: one"):
        assemble_robot_frames(failed, RobotEpisodesConfig(), FANOUT)


def test_every_data_set_has_its_rule_and_size(tmp_path: Path) -> None:
    write_instance_sets(tmp_path, size=32, clips=1, latents=False)
    fields = {
        "instances": {
            "bridge": {"folder": tmp_path / "bridge"},
            "small": {"folder": tmp_path / "bridge", "height": 32, "aspect": "pad"},
        }
    }
    job = prepare_robot_episodes(RobotEpisodesConfig.model_validate(fields), FANOUT)
    frames = {item.id.split("/")[0]: item.payload.config for item in job.items}
    assert frames["bridge"] == RobotEpisodesConfig().frames
    assert (frames["small"].height, frames["small"].width, frames["small"].aspect) == (32, 256, "pad")
    assert all("/" in name for name in names(**fields))
    assert len(names(**fields, with_tabletop=True)) == len(names(**fields)) + 5


def test_two_data_sets_have_two_names(tmp_path: Path) -> None:
    both = {"folder": tmp_path}
    with pytest.raises(ValidationError, match="two data sets are called bridge; give one of them another"):
        RobotEpisodesConfig.model_validate({"instances": {"bridge": both}, "bridge_raw": {"bridge": both}})
    with pytest.raises(ValidationError, match="pattern"):
        RobotEpisodesConfig.model_validate({"instances": {"a/b": both}})


def test_a_folder_without_the_layout_stops_the_run(tmp_path: Path) -> None:
    assert set(LAYOUTS) == set(RobotDataSetsConfig.model_fields)
    for layout in LAYOUTS:
        config = RobotEpisodesConfig.model_validate({layout: {"mine": {"folder": tmp_path}}})
        with pytest.raises(InputError, match=tmp_path.name):
            prepare_robot_episodes(config, FANOUT)


def test_metaworld_takes_the_tabletops_place_when_it_is_named() -> None:
    few = MetaworldEpisodesConfig(tasks=("push-v3",), train_layouts=2, validation_layouts=1, test_layouts=1)
    rendered = [f"metaworld/push-v3/{part}/00000" for part in ("train", "validation", "test")]
    assert set(rendered) < set(names(metaworld=few)) and len(names(metaworld=few)) == 4
    assert names(metaworld=few, with_tabletop=True) == [*names(metaworld=few), *names()]
