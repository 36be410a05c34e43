import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from tests.helpers.robonet import robot_frames, write_trajectory
from tests.helpers.stores import SMALL, ArrayEpisode
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.frame_store.config import FramesConfig
from vidrep_pipelines.data.frame_store.preparation import EpisodeRequest, prepare_episode
from vidrep_pipelines.data.frame_store.shard import pixel_sums, read_views
from vidrep_pipelines.data.sources.robonet.trajectory import RoboNetTrajectory


def prepared(folder: Path, episode: Any, config: FramesConfig = SMALL) -> tuple[dict[str, Any], Path]:
    path = folder / "prepared.h5"
    return dict(prepare_episode(EpisodeRequest(episode, config), {".h5": path})), path


def test_frames_states_and_facts(tmp_path: Path) -> None:
    episode = ArrayEpisode("a", lengths=(4, 5))
    facts, path = prepared(tmp_path, episode)
    assert facts["frames"] == 9
    assert (facts["verdict"], facts["problems"], facts["robot"]) == ("healthy", None, "sawyer")
    views = read_views(path)
    assert [view.id for view in views] == ["a_0", "a_1"]
    assert [(len(view.states), len(view.actions)) for view in views] == [(4, 3), (5, 4)]
    with h5py.File(path) as file:
        np.testing.assert_array_equal(file["frames"][4:], episode.pictures(1))
    sums = [view["pixel_sums"] for view in json.loads(facts["view_facts"])]
    assert sums == [pixel_sums(episode.pictures(camera)).tolist() for camera in (0, 1)]


@pytest.mark.parametrize(("states", "actions", "usable"), [(6, 9, 6), (9, 4, 5), (9, 12, 8)])
def test_usable_length_is_the_shortest(tmp_path: Path, states: int, actions: int, usable: int) -> None:
    path = write_trajectory(
        tmp_path / "a.hdf5",
        [robot_frames(8)],
        states=np.zeros((states, 5)),
        actions=np.zeros((actions, 4)),
    )
    facts, stored = prepared(tmp_path, RoboNetTrajectory("a", path))
    view = read_views(stored)[0]
    assert (facts["frames"], view.source_frames) == (usable, 8)
    assert (len(view.states), len(view.actions)) == (usable, usable - 1)


def test_short_views_are_left_out_with_a_reason(tmp_path: Path) -> None:
    facts, path = prepared(tmp_path, ArrayEpisode("a", lengths=(1, 5)))
    assert [view.id for view in read_views(path)] == ["a_1"]
    assert facts["verdict"] == "damaged"
    assert "camera 0: 1 usable frames" in facts["problems"]


def test_episode_shorter_than_the_window_fails(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"camera 0: 4 usable frames.*at least 12 are wanted"):
        prepared(tmp_path, ArrayEpisode("a", lengths=(4,)), SMALL.model_copy(update={"min_frames": 12}))
    assert not list(tmp_path.iterdir())


def test_what_came_before_the_damage_is_kept(tmp_path: Path) -> None:
    facts, path = prepared(tmp_path, ArrayEpisode("a", damage="frame 4 is broken", controls=False))
    assert [view.frames for view in read_views(path)] == [4, 5]
    assert "camera 0: frame 4 is broken" in facts["problems"]


def test_damaged_views_can_be_refused(tmp_path: Path) -> None:
    strict = SMALL.model_copy(update={"allow_truncated": False})
    with pytest.raises(InputError, match="camera 1: frame 4 is broken"):
        prepared(tmp_path, ArrayEpisode("a", damage="frame 4 is broken", controls=False), strict)


def test_damage_behind_the_usable_frames_does_not_matter(tmp_path: Path) -> None:
    path = write_trajectory(
        tmp_path / "a.hdf5", [robot_frames(8)], states=np.zeros((6, 5)), actions=np.zeros((5, 4))
    )
    with h5py.File(path, "a") as file:
        file["env/cam0_video/frame7"][:] = 0
    assert prepared(tmp_path, RoboNetTrajectory("a", path))[0]["verdict"] == "healthy"


def test_digest_covers_source_and_frames() -> None:
    request = EpisodeRequest(ArrayEpisode("a"), SMALL)
    assert request.digest == EpisodeRequest(ArrayEpisode("a"), SMALL).digest
    assert request.digest != EpisodeRequest(ArrayEpisode("a", seed=1), SMALL).digest
    assert request.digest != EpisodeRequest(ArrayEpisode("a"), FramesConfig(height=8, width=9)).digest
