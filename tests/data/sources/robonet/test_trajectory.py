from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.helpers.robonet import jpeg, robot_frames, write_trajectory
from tests.helpers.videos import truncate
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.frame_store.episode import DamagedViewError
from vidrep_pipelines.data.sources.robonet.trajectory import RoboNetTrajectory, read_trajectory_controls


def test_sizes_are_padded_and_cut(tmp_path: Path) -> None:
    states, actions = np.ones((3, 7)), np.full((2, 2), 2.0)
    path = write_trajectory(tmp_path / "a.hdf5", [robot_frames(3)], states=states, actions=actions)
    with h5py.File(path) as file:
        read_states, read_actions = read_trajectory_controls(file, 5, 4)
    assert read_states.dtype == read_actions.dtype == np.float32
    np.testing.assert_array_equal(read_states, np.ones((3, 5)))
    np.testing.assert_array_equal(read_actions, [[2, 2, 0, 0]] * 2)


@pytest.mark.parametrize(("primitives", "expected"), [("autograsp", [3, -1, 3]), ("", [0, 0, 0])])
def test_autograsp_gripper_follows_the_next_state(
    tmp_path: Path, primitives: str, expected: list[int]
) -> None:
    states = np.zeros((4, 5))
    states[:, -1] = [9, 1.5, 0.5, 2]
    path = write_trajectory(
        tmp_path / "a.hdf5",
        [robot_frames(4)],
        states=states,
        actions=np.zeros((3, 3)),
        bounds=(-1, 3),
        primitives=primitives,
    )
    with h5py.File(path) as file:
        _, actions = read_trajectory_controls(file, 5, 4)
    np.testing.assert_array_equal(actions[:, 3], expected)


@pytest.mark.parametrize("what", ["states", "actions"])
def test_numbers_that_are_not_finite_are_refused(tmp_path: Path, what: str) -> None:
    rows = {"states": np.zeros((3, 5)), "actions": np.zeros((2, 4))}
    rows[what][1, 2] = np.nan
    path = write_trajectory(tmp_path / "a.hdf5", [robot_frames(3)], **rows)
    with (
        h5py.File(path) as file,
        pytest.raises(InputError, match=rf"a\.hdf5: the {what[:-1]} of step 1 is not"),
    ):
        read_trajectory_controls(file, 5, 4)


def test_numbers_that_are_cut_off_may_be_anything(tmp_path: Path) -> None:
    states = np.full((3, 7), np.nan)
    states[:, :5] = 1
    path = write_trajectory(tmp_path / "a.hdf5", [robot_frames(3)], states=states)
    with h5py.File(path) as file:
        np.testing.assert_array_equal(read_trajectory_controls(file, 5, 4)[0], np.ones((3, 5)))


def read(path: Path, **options: Any) -> dict[int, NDArray[np.uint8]]:
    with RoboNetTrajectory(path.stem, path, **options).open() as episode:
        return {view.camera: np.stack(list(view.pictures)) for view in episode.views}


def break_off(path: Path, camera: int = 0) -> tuple[int, str]:
    """How many frames come before the damage, and what it is said to be."""
    with RoboNetTrajectory(path.stem, path).open() as episode:
        pictures = next(view.pictures for view in episode.views if view.camera == camera)
        count = 0
        with pytest.raises(DamagedViewError) as caught:
            for _ in pictures:
                count += 1
    return count, str(caught.value)


@pytest.mark.parametrize("encoding", ["mp4", "jpg"])
def test_every_camera_is_read(tmp_path: Path, encoding: str) -> None:
    cameras = [robot_frames(13), robot_frames(13, seed=1)]
    views = read(write_trajectory(tmp_path / "a.hdf5", cameras, encoding))
    assert list(views) == [0, 1]
    for camera, frames in enumerate(cameras):
        assert np.abs(views[camera].astype(int) - frames).mean() < 4


def test_colors_of_a_video_follow_its_format(tmp_path: Path) -> None:
    frames = robot_frames(4)
    rgb = read(write_trajectory(tmp_path / "a.hdf5", [frames], "mp4", "RGB"))[0]
    bgr = read(write_trajectory(tmp_path / "b.hdf5", [frames], "mp4", "BGR"))[0]
    np.testing.assert_array_equal(bgr, rgb[..., ::-1])


@pytest.mark.parametrize(
    ("image_format", "rule", "reversed_channels"),
    [
        ("RGB", "rgb", False),
        ("BGR", "rgb", False),
        ("RGB", "bgr", True),
        ("RGB", "as_published", False),
        ("BGR", "as_published", True),
    ],
)
def test_colors_of_jpeg_follow_the_rule(
    tmp_path: Path, image_format: str, rule: str, reversed_channels: bool
) -> None:
    frames = robot_frames(2)
    path = write_trajectory(tmp_path / "a.hdf5", [frames], "jpg", image_format)
    read_frames = read(path, jpeg_colors=rule)[0]
    expected = frames[..., ::-1] if reversed_channels else frames
    assert np.abs(read_frames.astype(int) - expected).mean() < 4


def test_chosen_cameras(tmp_path: Path) -> None:
    path = write_trajectory(tmp_path / "a.hdf5", [robot_frames(3)] * 3)
    assert list(read(path, cameras=(2, 0))) == [0, 2]
    with pytest.raises(InputError, match=r"0\.\.2, none of \[7\]"):
        read(path, cameras=(7,))


def test_file_without_a_camera(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="without a camera"):
        read(write_trajectory(tmp_path / "a.hdf5", []))


def test_cut_file(tmp_path: Path) -> None:
    path = truncate(write_trajectory(tmp_path / "a.hdf5", [robot_frames(13)]), 0.6)
    with pytest.raises(InputError, match=r"a\.hdf5"):
        read(path)


def test_damaged_jpeg_breaks_off(tmp_path: Path) -> None:
    path = write_trajectory(tmp_path / "a.hdf5", [robot_frames(13)])
    with h5py.File(path, "a") as file:
        file["env/cam0_video/frame5"][:] = 0
    count, reason = break_off(path)
    assert count == 5
    assert "frame 5 is no whole JPEG" in reason


def test_missing_frame_breaks_off(tmp_path: Path) -> None:
    path = write_trajectory(tmp_path / "a.hdf5", [robot_frames(13)])
    with h5py.File(path, "a") as file:
        del file["env/cam0_video/frame7"]
    assert break_off(path)[0] == 7


def test_missing_camera_leaves_the_others(tmp_path: Path) -> None:
    path = write_trajectory(tmp_path / "a.hdf5", [robot_frames(3)] * 2)
    with h5py.File(path, "a") as file:
        del file["env/cam1_video"]
    assert break_off(path, camera=1)[0] == 0
    assert len(read(path, cameras=(0,))[0]) == 3


def test_frame_of_another_size_breaks_off(tmp_path: Path) -> None:
    path = write_trajectory(tmp_path / "a.hdf5", [robot_frames(5)])
    with h5py.File(path, "a") as file:
        del file["env/cam0_video/frame2"]
        file["env/cam0_video/frame2"] = jpeg(robot_frames(1, 48, 64)[0])
    count, reason = break_off(path)
    assert count == 2
    assert "frame 2 is 64x48, the file says 32x24" in reason


def test_video_with_fewer_frames_than_promised_breaks_off(tmp_path: Path) -> None:
    path = write_trajectory(tmp_path / "a.hdf5", [robot_frames(6)], "mp4")
    with h5py.File(path, "a") as file:
        file["env/cam0_video/frames"].attrs["T"] = 9
    assert break_off(path) == (6, "the file promises 9 frames, 6 are there")


def test_video_that_is_none(tmp_path: Path) -> None:
    path = write_trajectory(tmp_path / "a.hdf5", [robot_frames(6)], "mp4")
    with h5py.File(path, "a") as file:
        file["env/cam0_video/frames"][:] = 7
    count, reason = break_off(path)
    assert count == 0
    assert "cannot be opened" in reason


def test_digest_knows_the_options_but_not_the_place(tmp_path: Path) -> None:
    one = RoboNetTrajectory("a", tmp_path / "a.hdf5", "1")
    assert one.digest == RoboNetTrajectory("a", tmp_path / "elsewhere.hdf5", "1").digest
    others = [
        RoboNetTrajectory("a", one.path, "2"),
        RoboNetTrajectory("a", one.path, "1", jpeg_colors="bgr"),
        RoboNetTrajectory("a", one.path, "1", cameras=(1,)),
    ]
    assert len({one.digest, *(other.digest for other in others)}) == 4
