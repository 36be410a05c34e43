"""What is written is read back, and is laid out as version 3.0 is published."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from tests.helpers.videos import barcode_frames, read_barcodes
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.sources.lerobot import lerobot_writing
from vidrep_pipelines.data.sources.lerobot.episodes import LeRobotEpisode, list_lerobot_episodes
from vidrep_pipelines.data.sources.lerobot.lerobot_writing import LeRobotContent, write_lerobot_data_set

TOP, WRIST = "observation.images.top", "observation.images.wrist"
RATE = 10
LIGHTNESS = (0.299, 0.587, 0.114)
NAMES = {"action": ("left", "right")}


def episode(number: int, length: int = 7, task: str = "", **changes: Any) -> LeRobotContent:
    rng = np.random.default_rng(number)
    columns: dict[str, Any] = {
        "observation.state": rng.normal(size=(length, 3)),
        "action": rng.normal(size=(length, 2)).astype(np.float32),
        "next.success": (np.arange(length) == length - 1)[:, None],
    }
    pictures = {
        TOP: barcode_frames(length, 64, 64, seed=number),
        WRIST: barcode_frames(length, 64, 48, seed=100 + number),
    }
    return LeRobotContent(task or f"task {number % 2}", pictures, {**columns, **changes})


EPISODES = [episode(0, 7), episode(1, 4), episode(2, 5)]


@pytest.fixture
def written(tmp_path: Path) -> Path:
    numbers = write_lerobot_data_set(tmp_path / "rollouts", iter(EPISODES), RATE, "arm", NAMES)
    assert numbers == {"episodes": 3, "frames": 16, "tasks": 2}
    return tmp_path / "rollouts"


def check_episode(source: LeRobotEpisode, own: LeRobotContent) -> None:
    with source.open() as read:
        np.testing.assert_array_equal(read.actions, own.columns["action"])
        np.testing.assert_array_equal(read.states, own.columns["observation.state"].astype(np.float32))
        [said] = read.annotations.segments
        assert (said.text, said.first, said.last) == (own.task, 0, own.checked_length())
        assert read.annotations.frames_per_second == RATE
        for view, key in zip(read.views, (TOP, WRIST), strict=True):
            pictures = np.stack([picture.copy() for picture in view.pictures])
            assert read_barcodes(pictures) == read_barcodes(own.pictures[key])
            lightness = (pictures - own.pictures[key].astype(float)) @ LIGHTNESS
            assert np.abs(lightness).mean() < 2  # colors of a noise are coarser


def test_the_projects_reader_reads_back_what_was_written(written: Path) -> None:
    sources = list_lerobot_episodes(written)
    assert [source.trajectory for source in sources] == [
        f"rollouts/episode_{number:06d}" for number in range(3)
    ]
    for source, own in zip(sources, EPISODES, strict=True):
        check_episode(source, own)


def test_large_files_are_followed_by_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for limit in ("_TABLE_MEBIBYTES", "_VIDEO_MEBIBYTES"):
        monkeypatch.setattr(lerobot_writing, limit, 0)
    monkeypatch.setattr(lerobot_writing, "_FILES_PER_CHUNK", 2)
    write_lerobot_data_set(tmp_path / "small", EPISODES, RATE, "arm")
    files = {path.relative_to(tmp_path / "small").as_posix() for path in tmp_path.rglob("*.parquet")}
    assert {"data/chunk-000/file-001.parquet", "data/chunk-001/file-000.parquet"} <= files
    assert (tmp_path / "small/videos" / TOP / "chunk-001/file-000.mp4").is_file()
    for source, own in zip(list_lerobot_episodes(tmp_path / "small"), EPISODES, strict=True):
        check_episode(source, own)


def test_the_description_is_that_of_version_3(written: Path) -> None:
    info = json.loads((written / "meta/info.json").read_text())
    assert (info["codebase_version"], info["fps"], info["robot_type"]) == ("v3.0", RATE, "arm")
    assert (info["total_episodes"], info["total_frames"], info["total_tasks"]) == (3, 16, 2)
    assert info["splits"] == {"train": "0:3"}
    assert (written / info["data_path"].format(chunk_index=0, file_index=0)).is_file()
    for key in (TOP, WRIST):
        assert (written / info["video_path"].format(video_key=key, chunk_index=0, file_index=0)).is_file()
    features = info["features"]
    assert features[WRIST]["dtype"] == "video" and features[WRIST]["shape"] == [48, 64, 3]
    assert features["action"] == {"dtype": "float32", "shape": [2], "names": ["left", "right"]}
    assert features["next.success"] == {"dtype": "bool", "shape": [1], "names": None}
    usual = {"timestamp", "frame_index", "episode_index", "index", "task_index"}
    table = pq.read_table(written / "data/chunk-000/file-000.parquet")
    assert set(table.column_names) == usual | {"observation.state", "action", "next.success"}
    assert set(features) == set(table.column_names) | {TOP, WRIST}
    assert table["index"].to_pylist() == list(range(16))


def test_lists_say_where_every_episode_is(written: Path) -> None:
    rows = pd.read_parquet(written / "meta/episodes/chunk-000/file-000.parquet")
    assert rows["dataset_from_index"].tolist() == [0, 7, 11] and rows["dataset_to_index"].tolist() == [
        7,
        11,
        16,
    ]
    assert rows[f"videos/{TOP}/from_timestamp"].tolist() == [0.0, 0.7, 1.1]
    assert rows[f"videos/{TOP}/to_timestamp"].tolist() == [0.7, 1.1, 1.6]
    assert [list(tasks) for tasks in rows["tasks"]] == [["task 0"], ["task 1"], ["task 0"]]
    tasks = pd.read_parquet(written / "meta/tasks.parquet")
    assert tasks["task_index"].to_dict() == {"task 0": 0, "task 1": 1} and tasks.index.name == "task"


def test_statistics_are_those_of_all_frames(written: Path) -> None:
    stats = json.loads((written / "meta/stats.json").read_text())
    actions = np.concatenate([own.columns["action"] for own in EPISODES]).astype(np.float64)
    for name, measure in (("mean", np.mean), ("std", np.std), ("min", np.min), ("max", np.max)):
        np.testing.assert_allclose(stats["action"][name], measure(actions, axis=0))
    assert stats["action"]["count"] == [16] and stats["next.success"]["mean"] == [3 / 16]
    pixels = np.concatenate([own.pictures[TOP].reshape(-1, 3) for own in EPISODES]) / 255
    np.testing.assert_allclose(np.ravel(stats[TOP]["mean"]), pixels.mean(0))
    np.testing.assert_allclose(np.ravel(stats[TOP]["std"]), pixels.std(0))
    assert np.shape(stats[TOP]["max"]) == (3, 1, 1)


def test_an_export_is_replaced_as_a_whole(written: Path) -> None:
    write_lerobot_data_set(written, EPISODES[:1], RATE, "arm")
    assert len(list_lerobot_episodes(written)) == 1


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (lambda: episode(1, action=np.zeros((7, 3))), r"episode 1 has the features .*action float32 \[3\]"),
        (lambda: episode(1, action=np.zeros((6, 2))), r"as many frames of each feature"),
        (lambda: LeRobotContent("go", {TOP: np.zeros((2, 5, 4, 3), np.uint8)}, {}), r"\(5, 4\) pixels"),
        (lambda: LeRobotContent("go", {}, {}), r"as many frames of each feature"),
    ],
)
def test_unlike_episodes_are_refused_and_nothing_is_left(
    tmp_path: Path, second: Callable[[], LeRobotContent], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        write_lerobot_data_set(tmp_path / "out", [EPISODES[0], second()], RATE, "arm")
    assert not list(tmp_path.iterdir())


def test_a_folder_with_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "diary.txt").write_text("dear diary")
    with pytest.raises(InputError, match=r"is not empty and holds no LeRobotDataset"):
        write_lerobot_data_set(tmp_path, EPISODES, RATE, "arm")
    with pytest.raises(InputError, match="no episode to write"):
        write_lerobot_data_set(tmp_path / "new", [], RATE, "arm")
