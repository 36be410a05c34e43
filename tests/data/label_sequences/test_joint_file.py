"""Joint positions in .mat files."""

from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.label_sequences.joint_file import read_joints, write_joints


def test_positions_survive_the_file(tmp_path: Path) -> None:
    positions = np.random.default_rng(0).normal(100, 80, (2, 15, 4))
    write_joints(tmp_path / "j.mat", positions)
    np.testing.assert_array_equal(read_joints(tmp_path / "j.mat"), positions)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ({"pos_world": np.zeros((2, 15, 3))}, "no array pos_img"),
        ({"pos_img": np.zeros((15, 2, 3))}, "no array pos_img of shape"),
        ({"pos_img": np.zeros((2, 15))}, "no array pos_img of shape"),
        ({"pos_img": np.full((2, 15, 3), np.nan)}, "finite"),
        ({"pos_img": "text"}, "no array pos_img"),
    ],
)
def test_other_contents(tmp_path: Path, content: dict[str, object], complaint: str) -> None:
    savemat(tmp_path / "j.mat", content)
    with pytest.raises(InputError, match=complaint):
        read_joints(tmp_path / "j.mat")


def test_missing_and_damaged(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"j\.mat is missing"):
        read_joints(tmp_path / "j.mat")
    (tmp_path / "j.mat").write_bytes(b"MATLAB 5.0 MAT-file" + bytes(200))
    with pytest.raises(InputError, match=r"j\.mat is no readable"):
        read_joints(tmp_path / "j.mat")
