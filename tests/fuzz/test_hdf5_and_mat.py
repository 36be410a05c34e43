"""RoboNet's headers and MATLAB's files."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from scipy.io import savemat

from tests.fuzz.damage import damaged
from tests.fuzz.files import written
from tests.fuzz.limits import ROUND, answer_within_limits
from tests.helpers.robonet import robot_frames, write_trajectory
from vidrep_pipelines.data.label_sequences.joint_file import read_joints, write_joints
from vidrep_pipelines.data.sources.long_videos.penn_action import read_action
from vidrep_pipelines.data.sources.robonet.header import read_metadata_item

pytestmark = pytest.mark.fuzz


def valid_trajectory() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return write_trajectory(Path(folder) / "a.hdf5", [robot_frames(3, 16, 16)]).read_bytes()


def valid_mats() -> list[bytes]:
    joints = np.arange(24.0).reshape(2, 3, 4)
    with tempfile.TemporaryDirectory() as folder:
        packed, plain, action = (Path(folder) / name for name in ("a.mat", "b.mat", "c.mat"))
        write_joints(packed, joints)
        savemat(plain, {"pos_img": joints})
        savemat(action, {"action": "golf_swing", "nframes": 4})
        return [path.read_bytes() for path in (packed, plain, action)]


TRAJECTORY = valid_trajectory()
MATS = valid_mats()


@ROUND
@given(damaged(TRAJECTORY))
@example(TRAJECTORY[:600])
def test_robonet_headers(content: bytes) -> None:
    with written(content, "a.hdf5") as path:
        answer_within_limits(lambda: read_metadata_item((str(path), False), {}))


@ROUND
@given(damaged(*MATS))
def test_mat_files(content: bytes) -> None:
    with written(content, "joint_positions.mat") as path:
        answer_within_limits(lambda: read_joints(path))
        answer_within_limits(lambda: read_action(path))
