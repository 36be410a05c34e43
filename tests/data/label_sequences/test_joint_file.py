"""Joint positions in .mat files."""

from pathlib import Path

import h5py
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


POSITIONS = np.random.default_rng(0).normal(100, 80, (2, 15, 4))


def write_newest(path: Path, positions: np.ndarray) -> None:
    """As MATLAB's -v7.3: an HDF5 file behind a header, arrays with their axes the other way round."""
    with h5py.File(path, "w", userblock_size=512) as file:
        file.create_dataset("pos_img", data=positions.transpose()).attrs["MATLAB_class"] = np.bytes_("double")
    with path.open("r+b") as raw:
        raw.write(
            b"MATLAB 7.3 MAT-file, Platform: GLNXA64, HDF5 schema 1.00 .".ljust(116)
            + bytes(8)
            + b"\x00\x02IM"
        )


def test_files_of_the_newest_version(tmp_path: Path) -> None:
    write_newest(tmp_path / "j.mat", POSITIONS)
    np.testing.assert_array_equal(read_joints(tmp_path / "j.mat"), POSITIONS)


def test_files_of_the_newest_version_that_hold_something_else(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "j.mat", "w") as file:
        file.create_group("pos_img")
    with pytest.raises(InputError, match=r"j\.mat has no array pos_img of shape"):
        read_joints(tmp_path / "j.mat")
    with h5py.File(tmp_path / "j.mat", "w") as file:
        file["pos_img"] = h5py.ExternalLink("/etc/passwd", "pos_img")
    with pytest.raises(InputError, match=r"j\.mat is refused: 'pos_img' is a link to another file"):
        read_joints(tmp_path / "j.mat")


def test_flattened_files_of_an_old_version_say_why(tmp_path: Path) -> None:
    savemat(tmp_path / "j.mat", {"pos_img": POSITIONS.reshape(2, -1)}, format="4")
    with pytest.raises(InputError, match=r"but one of \(2, 60\)\. MATLAB's version 4 .* save .* with -v7"):
        read_joints(tmp_path / "j.mat")


def test_missing_joints_have_neither_x_nor_y(tmp_path: Path) -> None:
    positions = POSITIONS.copy()
    positions[1, 3, 2:] = np.nan
    savemat(tmp_path / "j.mat", {"pos_img": positions})
    found = read_joints(tmp_path / "j.mat")
    positions[0, 3, 2:] = np.nan
    np.testing.assert_array_equal(found, positions)
    positions[0, 0, 0] = np.inf
    savemat(tmp_path / "j.mat", {"pos_img": positions})
    with pytest.raises(InputError, match="must hold finite numbers, and NaN where a joint is missing"):
        read_joints(tmp_path / "j.mat")


def test_a_pointer_in_place_of_joints_is_called_that(tmp_path: Path) -> None:
    (tmp_path / "j.mat").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 7\n")
    with pytest.raises(InputError, match=r"j\.mat is no \.mat file: it is a Git-LFS pointer"):
        read_joints(tmp_path / "j.mat")
