from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.videos import write_video
from vidrep_pipelines.common.arrays import Pixels
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.frame_store.episode import DamagedViewError
from vidrep_pipelines.data.sources.long_videos.tfrecord import RecordPlace
from vidrep_pipelines.data.sources.robot_clips.bridge import BridgeTrajectory
from vidrep_pipelines.data.sources.robot_clips.clip import (
    RobotClip,
    counted,
    instruction_segments,
    number_rows,
    packets_in,
    path_inside,
    stamp_of,
    video_claims,
)
from vidrep_pipelines.data.sources.robot_clips.instances import InstanceEpisode
from vidrep_pipelines.data.sources.robot_clips.rlds import RldsEpisode
from vidrep_pipelines.data.sources.robot_clips.something_something import SomethingEpisode
from vidrep_pipelines.data.sources.robot_clips.xbot import XbotEpisode


def test_every_reader_gives_clips() -> None:
    clips: list[RobotClip] = [
        InstanceEpisode("a", Path("a"), "bridge", "train"),
        XbotEpisode("a", Path("a"), "xbot", "train"),
        SomethingEpisode("a", Path("a"), "lifting a book", robot="sthv2", split="train"),
        BridgeTrajectory("a", Path("a"), "bridge", "train"),
        RldsEpisode("a", Path("a"), RecordPlace(0, 0, 0), robot="rt1", split="train"),
    ]
    assert {clip.split for clip in clips} == {"train"}
    assert len({clip.digest for clip in clips}) == len(clips)


@pytest.mark.parametrize("path", ["", "..", "a/../../b", "/a", None, 3, "."])
def test_paths_that_lead_out_are_refused(path: object) -> None:
    with pytest.raises(InputError, match="video_path is .* where a path inside bridge"):
        path_inside(Path("data/bridge"), path, "video_path")


def test_paths_inside_are_joined() -> None:
    assert path_inside(Path("bridge"), "videos/0.mp4", "it") == Path("bridge/videos/0.mp4")


@given(st.integers(1, 6), st.integers(0, 6), st.booleans())
def test_pictures_are_counted(frames: int, count: int, trim: bool) -> None:
    pictures = counted(iter([np.zeros((2, 2, 3), np.uint8)] * count), frames, Path("a.mp4"), trim)
    taken: list[Pixels] = []
    if count == frames or trim:
        taken.extend(pictures)
    else:
        with pytest.raises(DamagedViewError, match=f"{frames} "):
            taken.extend(pictures)
    assert len(taken) == min(frames, count)


def test_rows_of_numbers() -> None:
    rows = number_rows([[1, 2], [3, 4.5]], "states")
    assert rows.dtype == np.float32
    assert rows.tolist() == [[1, 2], [3, 4.5]]
    assert number_rows([1, 2], "states").shape == (2, 1)


@pytest.mark.parametrize("values", [[[1], [1, 2]], {"a": 1}, [[[1]]], [["x"]], [[]], [[float("inf")]], 3])
def test_other_rows_are_refused(values: object) -> None:
    with pytest.raises(InputError, match="^states: "):
        number_rows(values, "states")


@pytest.mark.parametrize("texts", [None, [], "", [" "], {"a": 1}, [None], ["\ud800"]])
def test_clips_need_instructions(texts: object) -> None:
    with pytest.raises(InputError):
        instruction_segments(texts, 5, "a.json")


def test_one_text_or_several() -> None:
    assert [part.text for part in instruction_segments(" lift it ", 5, "a")] == ["lift it"]
    assert [part.last for part in instruction_segments(["a", "b", "a"], 5, "a")] == [5, 5]


def test_headers_without_a_count_have_packets(tmp_path: Path) -> None:
    webm = write_video(tmp_path / "a.webm", 7, 64, 48, rate=12, codec="libvpx-vp9", options={"cpu-used": "8"})
    mp4 = write_video(tmp_path / "a.mp4", 7, 64, 48, rate=3)
    assert (video_claims(webm), packets_in(webm)) == ((0, 12.0), 7)
    assert (video_claims(mp4), packets_in(mp4)) == ((7, 3.0), 7)


def test_stamps_change_with_the_files(tmp_path: Path) -> None:
    path = tmp_path / "a"
    absent = stamp_of([path])
    path.write_text("a")
    assert stamp_of([path]) not in {absent, stamp_of([path, path])}
