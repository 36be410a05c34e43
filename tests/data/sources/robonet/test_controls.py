from pathlib import Path

import h5py
import numpy as np
import pytest

from tests.helpers.robonet import robot_frames, write_trajectory
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.sources.robonet.controls import read_controls


def test_sizes_are_padded_and_cut(tmp_path: Path) -> None:
    states, actions = np.ones((3, 7)), np.full((2, 2), 2.0)
    path = write_trajectory(tmp_path / "a.hdf5", [robot_frames(3)], states=states, actions=actions)
    with h5py.File(path) as file:
        read_states, read_actions = read_controls(file, 5, 4)
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
        _, actions = read_controls(file, 5, 4)
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
        read_controls(file, 5, 4)


def test_numbers_that_are_cut_off_may_be_anything(tmp_path: Path) -> None:
    states = np.full((3, 7), np.nan)
    states[:, :5] = 1
    path = write_trajectory(tmp_path / "a.hdf5", [robot_frames(3)], states=states)
    with h5py.File(path) as file:
        np.testing.assert_array_equal(read_controls(file, 5, 4)[0], np.ones((3, 5)))
