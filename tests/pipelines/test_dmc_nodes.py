from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pydantic import ValidationError

from tests.helpers.control import write_policy
from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.data.sample_world.agent_config import AgentEpisodesConfig
from vidrep_pipelines.data.sources.dm_control.config import ControlConfig
from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.fanout.parts import Parts
from vidrep_pipelines.pipelines.config import FoldersConfig
from vidrep_pipelines.pipelines.ingest.dmc_nodes import (
    DmcConfig,
    assemble_dmc_frames,
    list_replay_buffers,
    prepare_dmc_episodes,
    train_policy,
)

FANOUT = FanOutConfig(engine="serial", deadline_seconds=60)
AGENT = AgentEpisodesConfig()
TRAINED = DmcConfig(control=ControlConfig(policy="trained", episodes=3))
NOTHING = pd.DataFrame(columns=["id", "path", "bytes", "mtime_ns"])


def parts(folder: Path, **rows: Any) -> Parts:
    return Parts(
        folder, pd.DataFrame({"id": [], "status": [], "error": [], **rows}), (".safetensors", ".json")
    )


def test_without_a_folder_of_buffers_or_a_task_the_arm_of_the_sample_world_acts(tmp_path: Path) -> None:
    config = DmcConfig()
    assert list_replay_buffers(config).empty
    folders = FoldersConfig(models=tmp_path, reporting=tmp_path)
    assert len(train_policy(config, folders, FANOUT).items) == 0
    job = prepare_dmc_episodes(NOTHING, parts(tmp_path), parts(tmp_path), config, AGENT, FANOUT)
    assert [item.id for item in job.items][:2] == ["push_0000", "push_0001"] and len(job.items) == 60
    assert not job.config.retry_failed


def test_a_policy_is_trained_without_a_deadline_and_then_acts(tmp_path: Path) -> None:
    folders = FoldersConfig(models=tmp_path / "models", reporting=tmp_path)
    job = train_policy(TRAINED, folders, FANOUT)
    assert [item.id for item in job.items] == ["cheetah_run"] and job.config.deadline_seconds > 1e5
    policy = parts(tmp_path, id=["cheetah_run"], status=["ok"], error=[None])
    path = write_policy(tmp_path / "cheetah_run.safetensors")
    episodes = prepare_dmc_episodes(NOTHING, parts(tmp_path), policy, TRAINED, AGENT, FANOUT)
    assert {item.payload.source.behavior.actor for item in episodes.items} == {path}
    assert episodes.config.retry_failed  # once the simulator is installed


def test_a_policy_that_could_not_be_trained_says_why(tmp_path: Path) -> None:
    policy = parts(
        tmp_path, id=["cheetah_run"], status=["failed"], error=["no simulator. Remedy: install it"]
    )
    with pytest.raises(
        InputError, match=r"policy of cheetah_run could not be trained: no simulator\. Remedy"
    ):
        prepare_dmc_episodes(NOTHING, parts(tmp_path), policy, TRAINED, AGENT, FANOUT)


def test_when_every_episode_fails_the_first_reason_is_given(tmp_path: Path) -> None:
    failed = parts(tmp_path, id=["a", "b"], status=["failed"] * 2, error=["no renderer. Remedy: one", "x"])
    with pytest.raises(InputError, match=r"None of 2 episodes could be prepared: no renderer\. Remedy: one"):
        assemble_dmc_frames(failed, TRAINED, FANOUT)


def test_episodes_have_one_source() -> None:
    with pytest.raises(ValidationError, match=r"dmc\.replay_buffer and dmc\.control are both set\. Remedy"):
        DmcConfig(replay_buffer=Path("x"), control=ControlConfig())


def test_without_a_policy_the_trained_one_cannot_act(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="'trained' needs a policy"):
        prepare_dmc_episodes(NOTHING, parts(tmp_path), parts(tmp_path), TRAINED, AGENT, FANOUT)
