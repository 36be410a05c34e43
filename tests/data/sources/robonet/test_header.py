import hashlib
import json
from pathlib import Path

import h5py
import pandas as pd
import pytest

from tests.helpers.robonet import robot_frames, write_trajectory
from tests.helpers.videos import truncate
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.sources.robonet.header import metadata_table, read_metadata_item


@pytest.mark.parametrize("encoding", ["mp4", "jpg", "jpeg"])
def test_row_of_a_file(tmp_path: Path, encoding: str) -> None:
    cameras = [robot_frames(13), robot_frames(13, seed=1)]
    path = write_trajectory(tmp_path / "a_traj1.hdf5", cameras, encoding, "BGR", robot="kuka")
    row = read_metadata_item((str(path), False), {})
    assert row["img_encoding"] == ("mp4" if encoding == "mp4" else "jpg")
    expected = {"sdim": 5, "state_T": 13, "adim": 4, "action_T": 12, "ncam": 2, "img_T": 13}
    assert row.items() >= expected.items()
    assert (row["image_format"], row["robot"], row["file_version"]) == ("BGR", "kuka", 1)
    assert json.loads(row["frame_dim"]) == [24, 32]
    assert json.loads(row["object_classes"]) == ["cup", "ball"]
    assert json.loads(row["bin"]) == [1.5, 2.5]
    assert json.loads(row["high_bound"]) == [1.0] * 5
    assert "sha256" not in row


def test_hash_covers_the_file(tmp_path: Path) -> None:
    path = write_trajectory(tmp_path / "a_traj1.hdf5", [robot_frames(3)])
    row = read_metadata_item((str(path), True), {})
    assert row["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()


def test_file_without_cameras_has_a_row(tmp_path: Path) -> None:
    row = read_metadata_item((str(write_trajectory(tmp_path / "a.hdf5", [])), False), {})
    assert (row["ncam"], row["img_T"], row["image_format"]) == (0, None, None)


def test_names_and_arrays_that_a_table_cannot_hold(tmp_path: Path) -> None:
    path = write_trajectory(tmp_path / "a.hdf5", [robot_frames(3)])
    with h5py.File(path, "a") as file:
        file["misc/long"] = [0.0] * 1000
        file["metadata"].attrs["status"] = "good"
    row = read_metadata_item((str(path), False), {})
    assert (row["long"], row["metadata_status"]) == ("float64 (1000,)", "good")
    assert "status" not in row


@pytest.mark.parametrize("damage", ["cut", "text", "other", "missing"])
def test_unreadable_files_are_named(tmp_path: Path, damage: str) -> None:
    path = write_trajectory(tmp_path / "a_traj1.hdf5", [robot_frames(13)])
    if damage == "cut":
        truncate(path, 0.5)
    elif damage == "text":
        path.write_text("no data")
    elif damage == "other":
        with h5py.File(path, "w") as file:
            file["x"] = 1
    else:
        path.unlink()
    with pytest.raises(InputError, match=r"a_traj1\.hdf5"):
        read_metadata_item((str(path), False), {})


def test_table_has_file_names_and_only_what_could_be_read() -> None:
    manifest = pd.DataFrame(
        {"id": ["x", "y"], "status": ["ok", "failed"], "error": [None, "cut"], "seconds": [1.0, 1.0]}
        | {"bytes": [0, 0], "digest": ["", ""], "attempts": [1, 1], "robot": ["kuka", None]}
    )
    paths = pd.Series({"x": "/data/x.hdf5", "y": "/data/y.hdf5"})
    table = metadata_table(manifest, paths)
    assert table.to_dict() == {"robot": {"x.hdf5": "kuka"}}


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 9\n",
            "a Git-LFS pointer to a file of 9",
        ),
        (b"<!DOCTYPE html><html>quota exceeded</html>", "a web page"),
        (b"", "empty"),
    ],
)
def test_what_lies_in_place_of_a_file_is_named(tmp_path: Path, content: bytes, what: str) -> None:
    path = tmp_path / "a_traj1.hdf5"
    path.write_bytes(content)
    with pytest.raises(InputError, match=rf"a_traj1\.hdf5 is no HDF5 file: it is {what}.*Remedy: "):
        read_metadata_item((str(path), False), {})
