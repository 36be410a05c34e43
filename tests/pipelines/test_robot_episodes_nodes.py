from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.sample_world.agent_config import AgentEpisodesConfig
from vidrep_pipelines.data.sample_world.tabletop import TabletopEpisodesConfig
from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.fanout.parts import Parts
from vidrep_pipelines.pipelines.ingest.robot_episodes_nodes import (
    RobotEpisodesConfig,
    assemble_robot_frames,
    list_robot_episodes,
    prepare_robot_episodes,
)

FANOUT = FanOutConfig(engine="serial")
FEW = TabletopEpisodesConfig(train_tables=2, validation_tables=1, test_tables=1, held_out_tables=1)
AGENT = AgentEpisodesConfig(episodes=3)


def names(**fields: Any) -> list[str]:
    return [source.trajectory for source in list_robot_episodes(RobotEpisodesConfig(tabletop=FEW, **fields))]


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
