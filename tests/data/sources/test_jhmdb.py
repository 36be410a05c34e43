"""JHMDB's layout, both kinds of lists, and what may be wrong with it."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.helpers.foreign_files import add_hidden_files, take_zeros_off
from tests.helpers.label_sequences import tiny_clips, write_release
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.label_sequences.config import JhmdbConfig
from vidrep_pipelines.data.label_sequences.joint_file import read_joints, write_joints
from vidrep_pipelines.data.label_sequences.sequence import KeypointSequence
from vidrep_pipelines.data.sample_world.truth import read_truth
from vidrep_pipelines.data.sources.jhmdb import inspect_jhmdb, jhmdb_sequences

CONFIG = JhmdbConfig()
CLIPS = ["push/push_000", "stack/stack_000"]
FRAMES, JOINTS = (
    Path("Rename_Images/push/push_000"),
    Path("joint_positions/push/push_000/joint_positions.mat"),
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_release("jhmdb", tmp_path / "JHMDB")


def test_a_release_is_read_as_it_was_written(root: Path) -> None:
    files = jhmdb_sequences(root, CONFIG)
    assert [each.id for each in files] == CLIPS
    for each, clip in zip(files, tiny_clips(), strict=True):
        facts = inspect_jhmdb(each, {})
        truth = read_truth(clip.truth)
        assert (facts["frames"], facts["objects"]) == truth.keypoints.shape[:2]
        assert (facts["width"], facts["height"]) == (64, 48)
        handle = KeypointSequence.of_files(each)
        assert handle.frame_paths[0].name == "00001.png"
        joints = handle.joints()
        assert joints.shape == (2, truth.keypoints.shape[1], truth.frames)
        np.testing.assert_allclose(joints[:, 2, 5], truth.keypoints[5, 2, :2] + 1)
        assert handle.frame(0).shape == (48, 64, 3)
        assert len(handle) == truth.frames


def test_only_the_test_clips_of_the_split(root: Path) -> None:
    folder = root / "splits"
    (folder / "push_test_split1.txt").write_text("push_000.avi 1\n")
    assert [each.id for each in jhmdb_sequences(root, CONFIG)] == CLIPS[1:]
    (folder / "push_test_split2.txt").write_text("push_000.avi 2\n")
    assert [each.id for each in jhmdb_sequences(root, JhmdbConfig(split=2))] == CLIPS[:1]
    with pytest.raises(InputError, match=r"no list \*_test_split3\.txt"):
        jhmdb_sequences(root, JhmdbConfig(split=3))


@pytest.mark.parametrize(
    "line",
    [
        "/data/JHMDB/Rename_Images/{0} /data/JHMDB/joint_positions/{0}/joint_positions.mat",
        "datasets/joint_positions/{0}/joint_positions.mat datasets/Rename_Images/{0}/",
        "/d/Rename_Images/{0} /d/joint_positions/{0}/joint_positions",
    ],
)
def test_lists_of_other_evaluations_in_either_order(root: Path, tmp_path: Path, line: str) -> None:
    path = tmp_path / "list.txt"
    path.write_text("\n".join(line.format(clip) for clip in [*CLIPS[::-1], CLIPS[0]]) + "\n")
    files = jhmdb_sequences(root, JhmdbConfig(list=path))
    assert [each.id for each in files] == CLIPS[::-1]
    assert inspect_jhmdb(files[0], {})["frames"] >= 16


@pytest.mark.parametrize("line", ["one", "a/b c/d", "x/joint_positions.mat y/joint_positions.mat", "a b c"])
def test_lines_that_make_no_sense(root: Path, tmp_path: Path, line: str) -> None:
    path = tmp_path / "list.txt"
    path.write_text(f"d/Rename_Images/{CLIPS[0]} d/{CLIPS[0]}/joint_positions.mat\n{line}\n")
    with pytest.raises(InputError, match=r"list\.txt, line 2: expected are"):
        jhmdb_sequences(root, JhmdbConfig(list=path))


DAMAGE: list[tuple[Callable[[Path], object], str]] = [
    (lambda root: (root / JOINTS).unlink(), r"joint_positions\.mat is missing"),
    (lambda root: shutil.rmtree(root / FRAMES), "holds no frames"),
    (lambda root: (root / FRAMES / "00005.png").unlink(), "has frame 00004 and then 00006"),
    (lambda root: write_joints(root / JOINTS, np.ones((2, 15, 3))), "is of 3 frames, but"),
    (lambda root: Image.new("RGB", (60, 48)).save(root / FRAMES / "00002.png"), "is 60x48, but"),
]


@pytest.mark.parametrize(("damage", "complaint"), DAMAGE)
def test_clips_that_cannot_be_evaluated(root: Path, damage: Callable[[Path], object], complaint: str) -> None:
    damage(root)
    bad, good = jhmdb_sequences(root, CONFIG)
    with pytest.raises(InputError, match=complaint):
        inspect_jhmdb(bad, {})
    assert inspect_jhmdb(good, {})["frames"] >= 16


@pytest.mark.parametrize("missing", ["", "joint_positions", "Rename_Images", "splits"])
def test_missing_release_names_the_remedy(root: Path, missing: str) -> None:
    shutil.rmtree(root / missing)
    with pytest.raises(InputError, match=r"joint_positions\.zip and splits\.zip"):
        jhmdb_sequences(root, CONFIG)


def test_frames_without_zeros_are_in_the_order_of_their_numbers(root: Path) -> None:
    expected = KeypointSequence.of_files(jhmdb_sequences(root, CONFIG)[0])
    pixels = [expected.frame(index) for index in range(len(expected))]
    files = jhmdb_sequences(take_zeros_off(root), CONFIG)[0]
    assert inspect_jhmdb(files, {})["frames"] == len(pixels)
    found = KeypointSequence.of_files(files)
    assert [path.name for path in found.frame_paths] == [f"{n + 1}.png" for n in range(len(pixels))]
    np.testing.assert_array_equal([found.frame(index) for index in range(len(found))], pixels)


def test_hidden_files_are_neither_lists_nor_frames(root: Path) -> None:
    files = jhmdb_sequences(add_hidden_files(root), CONFIG)
    assert [each.id for each in files] == CLIPS
    for each in files:
        assert inspect_jhmdb(each, {})["frames"] >= 16


def test_frames_in_the_folder_of_the_other_release(root: Path) -> None:
    (root / "Rename_Images").rename(root / "Frames")
    files = jhmdb_sequences(root, CONFIG)
    assert files[0].frame_folder == root / "Frames" / CLIPS[0]
    assert inspect_jhmdb(files[0], {})["frames"] >= 16


def test_joints_that_nobody_could_see(root: Path) -> None:
    positions = read_joints(root / JOINTS)
    positions[0, 3, 5:] = np.nan
    write_joints(root / JOINTS, positions)
    files = jhmdb_sequences(root, CONFIG)[0]
    facts = inspect_jhmdb(files, {})
    assert facts["frames"] == positions.shape[2]
    found = KeypointSequence.of_files(files).joints()
    assert np.isnan(found[:, 3, 5:]).all(), "a joint without x has no y either"
    assert np.isfinite(found[:, 3, :5]).all()
    positions[:, :, 0] = np.nan
    write_joints(root / JOINTS, positions)
    with pytest.raises(InputError, match=r"no joint in the first frame \(all are NaN\)"):
        inspect_jhmdb(files, {})


def test_clips_that_lie_out_of_the_release_are_refused(root: Path) -> None:
    (root / "splits/push_test_split1.txt").write_text("../../other.avi 2\n")
    with pytest.raises(InputError, match=r"splits names 'push/\.\./\.\./other', which is no sequence"):
        jhmdb_sequences(root, CONFIG)
