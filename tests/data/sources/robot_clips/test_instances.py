import json
import logging
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.helpers.robot_clips import FRAMES, published_instances, write_instance, write_instance_sets
from tests.helpers.videos import read_barcodes, truncate
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.frame_store.config import FramesConfig
from vidrep_pipelines.data.frame_store.episode import DamagedViewError
from vidrep_pipelines.data.frame_store.preparation import EpisodeRequest, prepare_episode
from vidrep_pipelines.data.sources.robot_clips.instances import (
    InstanceEpisode,
    instance_folders,
    list_instances,
)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The miniature; not to be changed."""
    return write_instance_sets(tmp_path_factory.mktemp("calvin_and_bridge"), clips=1)


def clip_of(path: Path, **options: Any) -> InstanceEpisode:
    """The source of an annotation file."""
    return InstanceEpisode("a/train/0", path, "a", **options)


def refusal(path: Path, **options: Any) -> str:
    """What is said when it is opened."""
    with pytest.raises(InputError) as caught, clip_of(path, **options).open():
        pass
    return str(caught.value)


def test_folders_give_name_and_split(root: Path) -> None:
    assert [folder.name for folder in instance_folders(root)] == ["bridge", "sthv2", "xhand"]
    assert instance_folders(root / "bridge") == [root / "bridge"]
    clips = list_instances(root / "bridge")
    assert [(clip.trajectory, clip.split, clip.robot) for clip in clips] == [
        ("bridge/train/0", "train", "bridge"),
        ("bridge/val/100", "validation", "bridge"),
    ]
    assert list_instances(root / "bridge", "kitchen")[0].trajectory == "kitchen/train/0"


def test_calvin_has_its_own_folders(tmp_path: Path) -> None:
    write_instance(tmp_path / "calvin", "train", "3", kind="bridge")
    write_instance(tmp_path / "calvin", "val_d", "4", kind="bridge")
    (tmp_path / "calvin/annotation").rename(tmp_path / "calvin/annotation_abc_13")
    clips = list_instances(tmp_path / "calvin")
    assert [(clip.trajectory, clip.split) for clip in clips] == [
        ("calvin/train/3", "train"),
        ("calvin/val_d/4", "validation"),
    ]
    with clips[1].open() as episode:
        assert episode.states.shape == (FRAMES["bridge"], 7)


def test_bridge_clip_has_states_steps_and_language(root: Path) -> None:
    with list_instances(root / "bridge")[0].open() as episode:
        views = list(episode.views)
        pictures = list(views[0].pictures)
        assert (views[0].camera, views[0].source_frames) == (0, FRAMES["bridge"])
    assert read_barcodes(np.stack(pictures)) == list(range(FRAMES["bridge"]))
    assert episode.states.dtype == episode.actions.dtype == np.float32
    assert (episode.states.shape, episode.actions.shape) == ((8, 7), (7, 7))
    assert episode.annotations.instruction_at(7) == "put the pot into the sink"
    assert episode.annotations.frames_per_second == 3


def test_third_camera_lies_beside_the_listed_ones(root: Path) -> None:
    listed, beside = (
        list_instances(root / "xhand", cameras_beside=all_of_them)[0] for all_of_them in (False, True)
    )
    assert cameras(listed) == [0, 1]
    assert cameras(beside) == [0, 1, 2]
    assert cameras(replace(beside, cameras=(2,))) == [2]
    assert listed.digest != beside.digest
    assert list(listed.latents()) == [0, 1]
    assert list(beside.latents()) == [0, 1, 2]


def test_clips_that_share_a_folder_are_no_cameras_of_one_another(root: Path) -> None:
    for clip in list_instances(root / "sthv2", cameras_beside=True):
        assert cameras(clip) == [0]
        assert clip.latents()[0].parent.name == clip.annotation.stem


def test_webm_without_states(root: Path) -> None:
    with list_instances(root / "sthv2")[0].open() as episode:
        assert len(episode.states) == len(episode.actions) == 0
        assert len(list(next(iter(episode.views)).pictures)) == FRAMES["sthv2"]
        assert episode.annotations.segments[0].last == FRAMES["sthv2"]


def cameras(clip: InstanceEpisode) -> list[int]:
    """Numbers of the cameras that are read."""
    with clip.open() as episode:
        return [view.camera for view in episode.views]


def test_paths_in_the_file_win_over_the_identifier(tmp_path: Path) -> None:
    path = write_instance(tmp_path / "rt1", "val", "6", kind="bridge", changes={"episode_id": "54526"})
    with clip_of(path).open() as episode:
        assert len(list(next(iter(episode.views)).pictures)) == FRAMES["bridge"]


def test_all_texts_are_kept_the_first_one_first(tmp_path: Path) -> None:
    changes = {"texts": ["take the pot", "lift the pot", "take the pot"]}
    path = write_instance(tmp_path / "bridge", "train", "0", changes=changes)
    with clip_of(path).open() as episode:
        assert [segment.text for segment in episode.annotations.segments] == ["take the pot", "lift the pot"]


def test_length_comes_from_the_video_where_nothing_else_says_it(tmp_path: Path) -> None:
    path = write_instance(tmp_path / "sthv2", "train", "0", changes={"video_length": None})
    with clip_of(path).open() as episode:
        assert episode.annotations.segments[0].last == FRAMES["sthv2"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"texts": []}, "has no instruction"),
        ({"texts": [" "]}, "empty or no text"),
        ({"texts": [3]}, "empty or no text"),
        ({"videos": []}, "lists no videos"),
        ({"videos": ["rgb.mp4"]}, "videos is no list of files"),
        ({"videos": [{"video_path": "../rgb.mp4"}]}, r"video_path is '\.\./rgb\.mp4', where a path inside"),
        ({"videos": [{"video_path": "/etc/rgb.mp4"}]}, "where a path inside bridge is expected"),
        ({"videos": [{"video_path": "videos/rgb.mp4"}]}, r"its video .*rgb\.mp4 is missing\. Remedy"),
        ({"state": [[0.0] * 7] * 9}, "is about 9 frames, its video .* has 8"),
        ({"state": [[0.0] * 7] * 7 + [[0.0]]}, "rows of numbers of one length"),
        ({"state": [[float("nan")] * 7] * 8}, "row 0 of 8 is not finite"),
        ({"state": [[1e300] * 7] * 8}, "row 0 of 8 is not finite"),
        ({"action": [[0.0] * 7] * 6}, "actions has 6 rows, where 7 or 8"),
        ({"state": None, "video_length": -2}, "video_length is -2"),
        ({"state": None, "action": None, "video_length": 5}, "is about 5 frames, its video .* has 8"),
    ],
)
def test_what_is_wrong_is_said_when_the_clip_is_opened(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    path = write_instance(tmp_path / "bridge", "train", "0", changes=changes)
    assert len(list_instances(tmp_path / "bridge")) == 1
    with pytest.raises(InputError, match=message), clip_of(path).open():
        pass


@pytest.mark.parametrize("content", ["", "{", "[1, 2]", "<html>", "[" * 100_000])
def test_one_bad_annotation_does_not_hide_the_others(tmp_path: Path, content: str) -> None:
    folder = tmp_path / "bridge"
    write_instance(folder, "train", "0")
    (folder / "annotation/train/1.json").write_text(content)
    good, bad = list_instances(folder)
    assert cameras(good) == [0]
    assert "1.json" in refusal(bad.annotation)


def test_lengths_that_differ_can_be_trimmed(tmp_path: Path) -> None:
    path = write_instance(
        tmp_path / "bridge", "train", "0", changes={"state": [[0.0] * 7] * 5, "action": None}
    )
    with clip_of(path, trim=True).open() as episode:
        assert len(list(next(iter(episode.views)).pictures)) == 5


@pytest.mark.parametrize(
    ("said", "message"), [(7, "more than the 7 frames"), (12, "has 9 frames, 12 belong")]
)
def test_webm_of_another_length_is_told_after_decoding(tmp_path: Path, said: int, message: str) -> None:
    path = write_instance(tmp_path / "sthv2", "train", "0", changes={"video_length": said})
    with clip_of(path).open() as episode, pytest.raises(DamagedViewError, match=message):
        list(next(iter(episode.views)).pictures)


def test_absent_camera_and_damaged_video(tmp_path: Path) -> None:
    path = write_instance(tmp_path / "xhand", "train", "0")
    assert "has the cameras [0, 1], none of [5]" in refusal(path, cameras=(5,))
    truncate(tmp_path / "xhand/videos/train/0/0.mp4", 0.3)
    assert "0.mp4" in refusal(path)


def test_digest_changes_with_the_files_and_not_with_their_place(tmp_path: Path) -> None:
    write_instance(tmp_path / "a/bridge", "train", "0")
    (before,) = list_instances(tmp_path / "a/bridge")
    (tmp_path / "a").rename(tmp_path / "b")
    (moved,) = list_instances(tmp_path / "b/bridge")
    assert moved.digest == before.digest
    assert pickle.loads(pickle.dumps(moved)) == moved
    with (tmp_path / "b/bridge/videos/train/0/rgb.mp4").open("ab") as file:
        file.write(b"\0")
    assert list_instances(tmp_path / "b/bridge")[0].digest != before.digest
    assert replace(moved, trim=True).digest != moved.digest


def test_folders_that_hold_nothing_are_refused(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(InputError, match="is no folder"):
        list_instances(tmp_path / "none")
    with pytest.raises(InputError, match="has no folder of annotations"):
        list_instances(tmp_path)
    (tmp_path / "annotation/holdout").mkdir(parents=True)
    with caplog.at_level(logging.WARNING), pytest.raises(InputError, match="holds no annotations"):
        list_instances(tmp_path)
    assert "holdout are no splits" in caplog.text
    with pytest.raises(InputError, match="is no folder"):
        instance_folders(tmp_path / "none")


def test_clip_goes_into_a_store(root: Path, tmp_path: Path) -> None:
    clip = list_instances(root / "xhand")[0]
    request = EpisodeRequest(clip, FramesConfig(height=16, width=16, min_frames=4))
    facts = prepare_episode(request, {".h5": tmp_path / "shard.h5"})
    assert (facts["robot"], facts["views"], facts["frames"], facts["verdict"]) == ("xhand", 2, 20, "healthy")


def test_published_samples() -> None:
    folders = instance_folders(published_instances())
    clips = {clip.trajectory: clip for folder in folders for clip in list_instances(folder)}
    assert sorted(clips) == [
        *("bridge/val/10", "bridge/val/14", "rt1/val/10", "rt1/val/6", "xhand/val/100", "xhand/val/150")
    ]
    for clip in clips.values():
        content = json.loads(clip.annotation.read_text())
        with clip.open() as episode:
            counts = [sum(1 for _ in view.pictures) for view in episode.views]
        assert counts == [len(episode.states)] * len(content["videos"])
        assert episode.annotations.segments[0].text == content["texts"][0]
        assert episode.annotations.frames_per_second == (10 if clip.robot == "xhand" else 3)
        assert len(clip.latents()) == (clip.robot == "bridge")
