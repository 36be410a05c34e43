import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.helpers.calvin import time_step, write_calvin_split
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.frame_store.config import FramesConfig
from vidrep_pipelines.data.frame_store.episode import Segment
from vidrep_pipelines.data.frame_store.preparation import EpisodeRequest, prepare_episode
from vidrep_pipelines.data.frame_store.shard import read_views
from vidrep_pipelines.data.sources.calvin import episodes
from vidrep_pipelines.data.sources.calvin.episodes import CalvinEpisode, CalvinOptions
from vidrep_pipelines.data.sources.calvin.listing import list_calvin_episodes


def first_episode(root: Path, **options: Any) -> CalvinEpisode:
    write_calvin_split(root / "training")
    return list_calvin_episodes(root, CalvinOptions(**options))[0]


def change_step(episode: CalvinEpisode, step: int, **arrays: Any) -> None:
    np.savez(episode.folder / f"episode_{step:07d}.npz", **(time_step(step) | arrays))


@pytest.mark.parametrize("room", [1 << 28, 100])  # in memory, and in a temporary file
def test_everything_of_a_step_comes_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int) -> None:
    monkeypatch.setattr(episodes, "_IN_MEMORY", room)
    source = pickle.loads(pickle.dumps(first_episode(tmp_path)))
    steps = [time_step(step) for step in range(3, 7)]
    with source.open() as episode:
        assert episode.robot == "calvin" and episode.annotations.frames_per_second == 30
        assert episode.annotations.segments == (Segment(0, 4, "lift the block", "lift"),)
        for name, rows in (("robot_obs", episode.states), ("rel_actions", episode.actions)):
            assert rows.dtype == np.float32
            np.testing.assert_array_equal(rows, np.stack([step[name] for step in steps]).astype(np.float32))
        views = list(episode.views)
        assert [(view.camera, view.source_frames) for view in views] == [(0, 4), (1, 4)]
        for view, name in zip(views, ("rgb_static", "rgb_gripper"), strict=True):
            np.testing.assert_array_equal(np.stack(list(view.pictures)), [step[name] for step in steps])


def test_absolute_actions_of_one_camera(tmp_path: Path) -> None:
    with first_episode(tmp_path, actions="absolute", cameras=("rgb_gripper",)).open() as episode:
        np.testing.assert_array_equal(episode.actions[1], time_step(4)["actions"].astype(np.float32))
        assert [view.camera for view in episode.views] == [1]


def test_each_archive_is_opened_once_and_only_for_what_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = first_episode(tmp_path, cameras=("rgb_static",))
    opened, members = list[str](), set[str]()
    archive_init, open_member = zipfile.ZipFile.__init__, zipfile.ZipFile.open

    def note_archive(self: Any, file: Any, *rest: Any, **named: Any) -> None:
        opened.append(Path(file).name)
        archive_init(self, file, *rest, **named)

    def note_member(self: Any, member: Any, *rest: Any, **named: Any) -> Any:
        members.add(member.filename)
        return open_member(self, member, *rest, **named)

    monkeypatch.setattr(zipfile.ZipFile, "__init__", note_archive)
    monkeypatch.setattr(zipfile.ZipFile, "open", note_member)
    with source.open() as episode:
        assert sum(len(list(view.pictures)) for view in episode.views) == 4
    assert opened == [f"episode_{step:07d}.npz" for step in range(3, 7)]
    assert members == {"robot_obs.npy", "rel_actions.npy", "rgb_static.npy"}


def test_goes_into_a_frame_store(tmp_path: Path) -> None:
    request = EpisodeRequest(first_episode(tmp_path), FramesConfig(height=8, width=8, min_frames=2))
    facts = prepare_episode(request, {".h5": tmp_path / "episode.h5"})
    assert (facts["views"], facts["frames"], facts["verdict"]) == (2, 8, "healthy")
    view = read_views(tmp_path / "episode.h5")[0]
    assert view.annotations.instruction_at(3) == "lift the block"
    assert len(view.actions) == 3


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"robot_obs": np.zeros(14)}, r"0000005.npz: robot_obs is float64 \(14,\), expected 15"),
        ({"rel_actions": np.full(7, np.nan)}, r"0000005.npz: rel_actions is not finite"),
        ({"robot_obs": np.full(15, 1e300)}, r"robot_obs is not finite"),
        ({"rgb_static": np.zeros((10, 10, 3))}, r"rgb_static is float64 \(10, 10, 3\), expected uint8"),
        ({"rgb_gripper": np.zeros((5, 6, 3), np.uint8)}, r"the steps before have \(6, 6, 3\)"),
        ({"robot_obs": np.array([None] * 15, dtype=object)}, "holds Python objects, which are not built"),
    ],
)
def test_a_bad_step_is_named(tmp_path: Path, arrays: dict[str, Any], message: str) -> None:
    source = first_episode(tmp_path)
    change_step(source, 5, **arrays)
    with pytest.raises(InputError, match=message), source.open():
        pass


def test_a_missing_step_and_a_missing_camera_are_named(tmp_path: Path) -> None:
    source = first_episode(tmp_path)
    step = source.folder / "episode_0000004.npz"
    np.savez(
        step, robot_obs=np.zeros(15), rel_actions=np.zeros(7), rgb_static=np.zeros((10, 10, 3), np.uint8)
    )
    with pytest.raises(InputError, match=r"0000004\.npz lacks rgb_gripper.*Remedy"), source.open():
        pass
    step.unlink()
    with pytest.raises(InputError, match=r"0000004\.npz is missing\. Remedy"), source.open():
        pass


def test_digest_follows_files_and_options(tmp_path: Path) -> None:
    source = first_episode(tmp_path / "a")
    moved = first_episode(tmp_path / "b")
    for path in moved.folder.iterdir():  # as copying keeps times
        status = (source.folder / path.name).stat()
        path.touch()
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert source.digest == moved.digest
    other = CalvinEpisode(**{**vars(source), "options": CalvinOptions(actions="absolute")})
    assert other.digest != source.digest
    change_step(source, 3, robot_obs=np.ones(15))
    assert source.digest != moved.digest
