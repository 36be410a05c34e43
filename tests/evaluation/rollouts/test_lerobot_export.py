import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.sources.lerobot.episodes import list_lerobot_episodes
from vidrep_pipelines.evaluation.rollouts.engine import EpisodeRecord
from vidrep_pipelines.evaluation.rollouts.lerobot_export import (
    RobotDescription,
    export_attempts,
    lerobot_content,
)
from vidrep_pipelines.evaluation.rollouts.recording import RecordedAttempt, save_attempts

ROBOT = RobotDescription("arm", 5, robot_numbers=2, actions=("x", "y"))


def attempt(steps: int, *, success: bool) -> RecordedAttempt:
    rng = np.random.default_rng(steps)
    record = EpisodeRecord("a", "lift", f"lift {steps}", 0, success, steps, 1, 0.0, "line", "s")
    pictures = {"top": rng.integers(0, 255, (steps + 1, 16, 16, 3), np.uint8)}
    return RecordedAttempt(record, pictures, rng.normal(size=(steps + 1, 5)), rng.normal(size=(steps, 2)), {})


@pytest.mark.parametrize("success", [True, False])
def test_each_action_stands_beside_what_was_seen_before_it(success: bool) -> None:
    own = attempt(3, success=success)
    content = lerobot_content(own, robot_numbers=2)
    assert content.task == "lift 3" and content.checked_length() == 3
    np.testing.assert_array_equal(content.pictures["observation.images.top"], own.pictures["top"][:3])
    np.testing.assert_array_equal(content.columns["observation.state"], own.states[:3, :2])
    np.testing.assert_array_equal(content.columns["observation.environment_state"], own.states[:3, 2:])
    np.testing.assert_array_equal(content.columns["action"], own.actions)
    assert content.columns["next.done"][:, 0].tolist() == [False, False, True]
    assert content.columns["next.success"][:, 0].tolist() == [False, False, success]


def test_a_state_that_is_the_robots_alone_stays_whole() -> None:
    for numbers in (None, 5):
        columns = lerobot_content(attempt(3, success=True), numbers).columns
        assert columns["observation.state"].shape == (3, 5) and "observation.environment_state" not in columns


def test_attempts_of_several_files_become_one_data_set(tmp_path: Path) -> None:
    attempts = [attempt(3, success=True), attempt(4, success=False), attempt(2, success=True)]
    save_attempts(tmp_path / "a.npz", attempts[:2])
    save_attempts(tmp_path / "b.npz", attempts[2:])
    files = [tmp_path / "a.npz", tmp_path / "b.npz"]
    counts = export_attempts(tmp_path / "out", files, ROBOT)
    assert counts == {"episodes": 3, "frames": 9, "tasks": 3}
    for source, own in zip(list_lerobot_episodes(tmp_path / "out"), attempts, strict=True):
        with source.open() as episode:
            np.testing.assert_allclose(episode.actions, own.actions, atol=1e-6)
    info = json.loads((tmp_path / "out/meta/info.json").read_text())
    assert info["features"]["action"]["names"] == ["x", "y"] and info["robot_type"] == "arm"
    rows = pd.read_parquet(tmp_path / "out/data/chunk-000/file-000.parquet")
    assert rows.groupby("episode_index")["next.success"].max().tolist() == [True, False, True]


def test_nothing_to_export_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no episode to write"):
        export_attempts(tmp_path / "out", [], ROBOT)
