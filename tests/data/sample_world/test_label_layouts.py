"""Miniatures have the files of the releases, and nothing else."""

from pathlib import Path

import numpy as np
import pytest

from tests.helpers.label_sequences import tiny_clips, write_release
from vidrep_pipelines.data.sample_world.label_layouts import objects_of_first_frame, write_miniature
from vidrep_pipelines.data.sample_world.miniature import MiniatureRequest, ReleaseName
from vidrep_pipelines.data.sample_world.truth import read_truth

FILES: dict[ReleaseName, set[str]] = {
    "davis": {
        "ImageSets/2017/val.txt",
        "JPEGImages/480p/push_000/00000.jpg",
        "Annotations/480p/push_000/00000.png",
    },
    "jhmdb": {
        "splits/push_test_split1.txt",
        "Rename_Images/push/push_000/00001.png",
        "joint_positions/push/push_000/joint_positions.mat",
    },
    "vip": {
        "lists/val_videos.txt",
        "Images/videos1/000000000001.jpg",
        "Annotations/Category_ids/videos1/000000000001.png",
    },
}


@pytest.mark.parametrize("release", FILES)
def test_files_of_a_release(release: ReleaseName, tmp_path: Path) -> None:
    root = write_release(release, tmp_path / release)
    found = {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}
    assert found >= FILES[release]
    frames = sum(read_truth(clip.truth).frames for clip in tiny_clips())
    lists = 2 if release == "jhmdb" else 1
    assert len(found) == frames + (2 if release == "jhmdb" else frames) + lists


@pytest.mark.parametrize("release", FILES)
def test_writing_twice_gives_the_same_bytes(release: ReleaseName, tmp_path: Path) -> None:
    first, second = (write_release(release, tmp_path / name) for name in "ab")
    compared = [path for path in sorted(first.rglob("*")) if path.suffix in (".png", ".jpg", ".txt")]
    assert len(compared) >= len(FILES[release])
    for path in compared:
        assert path.read_bytes() == (second / path.relative_to(first)).read_bytes()


def test_no_clips_give_an_empty_list(tmp_path: Path) -> None:
    write_miniature(MiniatureRequest("davis", (), quality=95, digest=""), tmp_path)
    assert (tmp_path / "ImageSets/2017/val.txt").read_text() == ""


def test_objects_are_those_of_the_first_frame_numbered_without_gaps() -> None:
    masks = np.zeros((2, 100, 100), np.uint8)
    masks[0, :10, :10], masks[0, 20:30], masks[0, 50, 50] = 1, 4, 3  # the third is too small to see
    masks[1, :10, :10], masks[1, 20:30], masks[1, 50:60], masks[1, 70:] = 4, 1, 3, 2
    objects = objects_of_first_frame(masks)
    assert np.unique(objects[0]).tolist() == [0, 1, 2]
    np.testing.assert_array_equal(objects[0] == 2, masks[0] == 4)
    np.testing.assert_array_equal(objects[1] == 1, masks[1] == 1)
    assert not objects[1, 50:].any()
