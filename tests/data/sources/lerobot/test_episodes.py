import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.lerobot import (
    RATE,
    TOP,
    WRIST,
    Recording,
    Version,
    change_info,
    change_table,
    episode_columns,
    png,
    top_frames,
    wrist_frames,
    write_lerobot,
)
from tests.helpers.videos import read_barcodes
from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.data.frame_store.config import FramesConfig
from vidrep_pipelines.data.frame_store.episode import DamagedViewError, EpisodeAnnotations, Segment
from vidrep_pipelines.data.frame_store.preparation import EpisodeRequest, prepare_episode
from vidrep_pipelines.data.frame_store.shard import read_views
from vidrep_pipelines.data.sources.lerobot.description import LeRobotOptions
from vidrep_pipelines.data.sources.lerobot.episodes import LeRobotEpisode, list_lerobot_episodes

BOTH = pytest.mark.parametrize("version", ["v2.1", "v3.0"])
TABLES = {"v2.1": "data/chunk-000/episode_000001.parquet", "v3.0": "data/chunk-000/file-000.parquet"}


def content(source: LeRobotEpisode) -> dict[str, Any]:
    """All that an episode gives."""
    with source.open() as episode:
        pictures = {
            view.camera: np.stack([picture.copy() for picture in view.pictures]) for view in episode.views
        }
        return {
            "name": (source.trajectory, source.split, episode.robot),
            "said": episode.annotations,
            "states": episode.states,
            "actions": episode.actions,
            **pictures,
        }


def same(left: dict[str, Any], right: dict[str, Any]) -> bool:
    return left.keys() == right.keys() and all(
        np.array_equal(value, right[name]) if isinstance(value, np.ndarray) else value == right[name]
        for name, value in left.items()
    )


@BOTH
def test_everything_of_an_episode_comes_out(version: Version, tmp_path: Path) -> None:
    recording = Recording()
    sources = list_lerobot_episodes(write_lerobot(tmp_path / "cups", version))
    assert [(source.trajectory, source.split) for source in sources] == [
        ("cups/episode_000000", "train"),
        ("cups/episode_000001", "train"),
        ("cups/episode_000002", "validation"),
    ]
    for number, source in enumerate(pickle.loads(pickle.dumps(sources))):
        found, columns = content(source), episode_columns(recording, number)
        for name, column in (("states", "observation.state"), ("actions", "action")):
            assert found[name].dtype == np.float32
            np.testing.assert_array_equal(found[name], np.stack(columns[column]))
        assert read_barcodes(found[0]) == list(range(len(recording.tasks[number])))
        assert np.abs(found[0].astype(int) - top_frames(recording, number)).mean() < 20
        np.testing.assert_array_equal(found[1], wrist_frames(recording, number))
    assert content(sources[1])["said"] == EpisodeAnnotations(
        (Segment(0, 3, "push the block"), Segment(3, 5, "go home")), frames_per_second=RATE
    )


@st.composite
def recordings(draw: st.DrawFn) -> Recording:
    tasks = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=5).map(tuple), min_size=1, max_size=4)
    return Recording(
        tasks=tuple(draw(tasks)),
        states=draw(st.integers(1, 3)),
        wrist=draw(st.sampled_from(["video", "image", None])),
        per_file=(draw(st.integers(1, 3)), draw(st.integers(1, 4))),
    )


@settings(max_examples=8)
@given(recordings())
def test_both_versions_of_a_data_set_are_equal(
    tmp_path_factory: pytest.TempPathFactory, recording: Recording
) -> None:
    folder = tmp_path_factory.mktemp("equal")
    old, new = (
        list_lerobot_episodes(write_lerobot(folder / version, version, recording), name="equal")
        for version in ("v2.1", "v3.0")
    )
    assert len(old) == len(new) == len(recording.tasks)
    assert all(same(content(left), content(right)) for left, right in zip(old, new, strict=True))


def test_av1_of_both_versions(tmp_path: Path) -> None:
    recording = Recording(wrist=None, codec="libsvtav1")
    old, new = (
        list_lerobot_episodes(write_lerobot(tmp_path / version, version, recording), name="av1")
        for version in ("v2.1", "v3.0")
    )
    for left, right in zip(old, new, strict=True):
        assert same(content(left), content(right))
        assert read_barcodes(content(right)[0]) == list(range(left.entry.length))


@BOTH
def test_goes_into_a_frame_store(version: Version, tmp_path: Path) -> None:
    source = list_lerobot_episodes(write_lerobot(tmp_path / "cups", version))[1]
    request = EpisodeRequest(source, FramesConfig(height=16, width=16, min_frames=2))
    facts = prepare_episode(request, {".h5": tmp_path / "episode.h5"})
    assert (facts["robot"], facts["views"], facts["frames"], facts["verdict"]) == ("cups", 2, 10, "healthy")
    assert read_views(tmp_path / "episode.h5")[1].annotations.instruction_at(3) == "go home"


def test_chosen_cameras_and_columns(tmp_path: Path) -> None:
    folder = write_lerobot(tmp_path / "cups", "v3.0")
    options = LeRobotOptions(cameras=(WRIST,), state="action", action=None)
    found = content(list_lerobot_episodes(folder, options, name="named")[0])
    assert found["name"] == ("named/episode_000000", "train", "named")
    assert 1 in found and 0 not in found
    np.testing.assert_array_equal(found["states"], np.stack(episode_columns(Recording(), 0)["action"]))
    assert found["actions"].shape == (0, 0)
    with pytest.raises(ConfigurationError, match=r"has no 'front'; it has observation\.images\.top"):
        list_lerobot_episodes(folder, LeRobotOptions(cameras=("front",)))
    with pytest.raises(ConfigurationError, match="has no feature 'joints'; it has action"):
        list_lerobot_episodes(folder, LeRobotOptions(state="joints"))


@BOTH
@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"frame_index": np.arange(11)}, r"not numbered 0 to 4"),
        ({"timestamp": np.arange(11.0)}, "which does not go with 10 frames a second"),
        ({"timestamp": np.full(11, np.nan)}, "frame 0 is at nan s"),
        ({"action": [[np.inf]] * 11}, r"action of frame 0 is not finite"),
        ({"action": ["a"] * 11}, "action is string or has gaps"),
        ({"action": [[1.0]] * 10 + [[1.0, 2.0]]}, "action has 1 to 2 numbers in a row"),
        ({"observation.state": None}, r"lacks the column observation\.state"),
        ({"frame_index": None}, "lacks the column frame_index"),
        ({"task_index": np.full(11, 7)}, "There is no task 7 in the list, which has 3"),
        ({WRIST: None}, r"lacks the pictures observation\.images\.wrist"),
    ],
)
def test_bad_rows_fail_alone(version: Version, columns: Any, message: str, tmp_path: Path) -> None:
    folder = write_lerobot(tmp_path, version)
    rows = slice(None) if version == "v3.0" else slice(6, None)  # an episode's own, or those of two
    own = {name: None if values is None else values[rows] for name, values in columns.items()}
    change_table(folder / TABLES[version], **own)
    sources = list_lerobot_episodes(folder)
    with pytest.raises(InputError, match=message), sources[1].open():
        pass
    with sources[2].open() as episode:
        assert len(episode.states) == 4


@BOTH
def test_another_length_than_the_list_says(version: Version, tmp_path: Path) -> None:
    folder = write_lerobot(tmp_path, version, Recording(wrist=None))
    if version == "v2.1":
        path = folder / "meta/episodes.jsonl"
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        rows[1]["length"] = 4
        path.write_text("\n".join(map(json.dumps, rows)))
    else:
        change_table(folder / "meta/episodes/chunk-000/file-000.parquet", length=[6, 4, 4])
    good, bad, _ = list_lerobot_episodes(folder)
    assert len(content(good)["states"]) == 6
    with pytest.raises(InputError, match="has 5 rows, the list of episodes says 4"), bad.open():
        pass


@pytest.mark.parametrize("text", ["", "  "])
@BOTH
def test_an_empty_instruction_fails_alone(version: Version, text: str, tmp_path: Path) -> None:
    texts = ("lift the cup", text, "go home")
    good, bad, _ = list_lerobot_episodes(write_lerobot(tmp_path, version, Recording(texts=texts)))
    assert len(content(good)["states"]) == 6
    with pytest.raises(InputError, match=r"no usable instruction\..* is empty.*Remedy"), bad.open():
        pass


@BOTH
def test_a_missing_video_fails_alone(version: Version, tmp_path: Path) -> None:
    folder = write_lerobot(tmp_path, version, Recording(per_file=(2, 1)))
    video = {
        "v2.1": f"videos/chunk-000/{TOP}/episode_000001.mp4",
        "v3.0": f"videos/{TOP}/chunk-000/file-001.mp4",
    }[version]
    (folder / video).unlink()
    good, bad, last = list_lerobot_episodes(folder)
    assert len(content(good)[0]) == 6 and len(content(last)[0]) == 4
    with (
        pytest.raises(InputError, match=r"file-001.mp4 is missing|episode_000001.mp4 is missing"),
        bad.open(),
    ):
        pass
    options = LeRobotOptions(cameras=(WRIST,))
    assert len(content(list_lerobot_episodes(folder, options)[1])[1]) == 5


def test_rows_may_be_in_the_file_after(tmp_path: Path) -> None:
    folder = write_lerobot(tmp_path, "v3.0", Recording(wrist=None))
    change_table(folder / "meta/episodes/chunk-000/file-000.parquet", **{"data/file_index": [0, 0, 0]})
    assert len(content(list_lerobot_episodes(folder)[2])["states"]) == 4


def test_without_numbers_of_tasks_the_list_of_episodes_tells(tmp_path: Path) -> None:
    folder = write_lerobot(tmp_path, "v3.0", Recording(wrist=None))
    change_table(folder / TABLES["v3.0"], task_index=None)
    one, two, _ = list_lerobot_episodes(folder)
    assert content(one)["said"].segments == (Segment(0, 6, "lift the cup"),)
    with (
        pytest.raises(InputError, match="no column task_index, and the episode has 2 instructions"),
        two.open(),
    ):
        pass


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"bytes": b"no picture", "path": None}, "wrist of frame 3 cannot be used"),
        ({"bytes": None, "path": "images/a.png"}, "its bytes are not in the table"),
    ],
)
def test_a_damaged_picture_ends_its_view(value: Any, message: str, tmp_path: Path) -> None:
    folder, recording = write_lerobot(tmp_path, "v2.1"), Recording()
    pictures = [{"bytes": png(frame), "path": None} for frame in wrist_frames(recording, 1)]
    change_table(folder / TABLES["v2.1"], **{WRIST: [*pictures[:3], value, *pictures[4:]]})
    with list_lerobot_episodes(folder)[1].open() as episode:
        top, wrist = episode.views
        assert len(list(top.pictures)) == 5
        assert [next(wrist.pictures).shape for _ in range(3)] == [(64, 64, 3)] * 3
        with pytest.raises(DamagedViewError, match=message):
            next(wrist.pictures)


def test_one_number_in_a_row_need_not_be_a_list(tmp_path: Path) -> None:
    folder = write_lerobot(tmp_path, "v2.1", Recording(wrist=None))
    change_table(folder / TABLES["v2.1"], action=np.arange(5.0))
    found = content(list_lerobot_episodes(folder)[1])
    np.testing.assert_array_equal(found["actions"], np.arange(5.0)[:, None])


def test_digest_follows_files_lists_and_options(tmp_path: Path) -> None:
    folder = write_lerobot(tmp_path, "v3.0")
    before = [source.digest for source in list_lerobot_episodes(folder)]
    assert len(set(before)) == 3
    assert before == [source.digest for source in list_lerobot_episodes(folder)]
    assert before[0] != list_lerobot_episodes(folder, LeRobotOptions(action=None))[0].digest
    (folder / f"videos/{TOP}/chunk-000/file-000.mp4").touch()
    touched = [source.digest for source in list_lerobot_episodes(folder)]
    assert not set(before) & set(touched)
    change_info(folder, fps=20)
    assert not set(touched) & {source.digest for source in list_lerobot_episodes(folder)}
