import json
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.lerobot import TOP, WRIST, Version, change_info, write_lerobot
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.sources.lerobot.description import Camera, LeRobotOptions, read_description


@pytest.mark.parametrize("version", ["v2.1", "v3.0"])
def test_cameras_are_numbered_in_order_and_depth_is_none(version: Version, tmp_path: Path) -> None:
    description = read_description(write_lerobot(tmp_path, version))
    assert description.version == version and description.rate == 10
    assert description.cameras == (Camera(TOP, 0, True), Camera(WRIST, 1, False))
    assert description.chosen_cameras(LeRobotOptions(cameras=(WRIST,))) == (Camera(WRIST, 1, False),)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"codebase_version": "v2.0"}, r"codebase_version is 'v2\.0', v2\.1 and v3\.0 are read\. Remedy"),
        ({"codebase_version": "v4.2"}, r"codebase_version is 'v4\.2'"),
        ({"codebase_version": None}, "codebase_version is None"),
        ({"codebase_version": ["v3.0"]}, r"codebase_version is \['v3\.0'\]"),
        ({"fps": 0}, "fps is 0, where a number above 0"),
        ({"fps": True}, "fps is True"),
        ({"fps": "10"}, "fps is '10'"),
        ({"features": ["a"]}, "lists no features"),
        ({"features": {"a": 1}}, "lists no features"),
        ({"chunks_size": 0}, "chunks_size is 0, where a whole number"),
        ({"splits": {"train": "0-3"}}, "expected such as"),
        ({"splits": "0:3"}, "expected such as"),
        ({"features": {"../../a": {"dtype": "video"}}}, "cannot be the name of a folder"),
        ({"features": {"..": {"dtype": "image"}}}, "cannot be the name of a folder"),
    ],
)
def test_what_cannot_be_is_refused(values: Any, message: str, tmp_path: Path) -> None:
    folder = write_lerobot(tmp_path, "v3.0")
    change_info(folder, **values)
    with pytest.raises(InputError, match=message):
        read_description(folder)


def test_other_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no such file.*Remedy: name the folder of a LeRobotDataset"):
        read_description(tmp_path)
    (tmp_path / "meta").mkdir()
    (tmp_path / "meta" / "info.json").write_text(json.dumps(["v3.0"]))
    with pytest.raises(InputError, match="codebase_version is None"):
        read_description(tmp_path)


def test_splits_have_the_names_of_the_project(tmp_path: Path) -> None:
    folder = write_lerobot(tmp_path, "v3.0")
    change_info(folder, splits={"Train": "0:2", "eval": "2:3", "test": "3:4", "pilot": "4:9"})
    description = read_description(folder)
    assert [description.split_of(number) for number in (1, 2, 3, 4, 9)] == [
        "train",
        "validation",
        "test",
        None,
        None,
    ]


def test_a_data_set_needs_a_camera(tmp_path: Path) -> None:
    folder = write_lerobot(tmp_path, "v3.0")
    change_info(folder, features={"action": {"dtype": "float32"}})
    with pytest.raises(InputError, match="names no camera"):
        read_description(folder).chosen_cameras(LeRobotOptions())
