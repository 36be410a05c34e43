from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.foreign_files import add_hidden_files, take_zeros_off
from tests.helpers.long_videos import write_penn_video
from tests.helpers.videos import read_barcodes
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.sources.long_videos.penn_action import (
    ACTIONS,
    PHASES,
    evenly,
    penn_action_videos,
    read_phases,
)
from vidrep_pipelines.data.sources.long_videos.video import LongVideo, LongVideos


def listed(root: Path) -> LongVideos:
    return penn_action_videos(root, root / "penn_action_labels")


def frames_of(video: LongVideo) -> list[int]:
    with video.source.open() as episode:
        (view,) = episode.views
        return read_barcodes(np.stack(list(view.pictures)))


def test_both_splits_whatever_comes_last(tmp_path: Path) -> None:
    """The published conversion loses the end of a split when the last video belongs to the other one."""
    write_penn_video(tmp_path, 3, "bowl", 4, [0, 1, 2, 2], "val")
    write_penn_video(tmp_path, 1, "squat", 5, [0, 1, 2, 3, 3])
    write_penn_video(tmp_path, 2, "bowl", 4, [0, 0, 1, 2])
    videos = listed(tmp_path)
    assert [video.id for video in videos.videos] == [
        "train/0001_squat",
        "train/0002_bowl",
        "validation/0003_bowl",
    ]
    assert [video.action_label for video in videos.videos] == [10, 3, 3]
    assert [video.classes for video in videos.videos] == [4, 3, 3]
    assert frames_of(videos.videos[0]) == [0, 1, 2, 3, 4]
    assert videos.videos[0].read_labels(5).tolist() == [0, 1, 2, 3, 3]


@pytest.mark.parametrize(
    ("frames", "phases", "kept_frames", "kept_phases"),
    [
        (6, [0, 1, 2, 2], [0, 1, 3, 4], [0, 1, 2, 2]),
        (3, [0, 0, 1, 1, 2, 2, 2], [0, 1, 2], [0, 1, 2]),
    ],
    ids=["more frames", "more phases"],
)
def test_the_longer_one_is_thinned(
    tmp_path: Path, frames: int, phases: list[int], kept_frames: list[int], kept_phases: list[int]
) -> None:
    write_penn_video(tmp_path, 1, "bowl", frames, phases)
    (video,) = listed(tmp_path).videos
    assert frames_of(video) == kept_frames
    assert video.read_labels(len(kept_frames)).tolist() == kept_phases


@given(st.integers(1, 500), st.integers(1, 500))
def test_thinning_follows_the_published_rule(longer: int, shorter: int) -> None:
    longer, shorter = max(longer, shorter), min(longer, shorter)
    positions = evenly(longer, shorter)
    assert positions == [int(np.floor(rank * longer / shorter + 1e-9)) for rank in range(shorter)]
    assert positions[0] == 0
    assert positions[-1] < longer
    assert len(set(positions)) == shorter


def test_videos_that_cannot_be_used_are_listed(tmp_path: Path) -> None:
    write_penn_video(tmp_path, 1, "strum_guitar", 3, [0, 0, 0])
    write_penn_video(tmp_path, 2, "bowl", 3, None)
    write_penn_video(tmp_path, 3, "bowl", 3, [0, 1, 2])
    (tmp_path / "labels/0003.mat").write_bytes(b"none")
    write_penn_video(tmp_path, 4, "bowl", 0, [0, 1, 2])
    videos = listed(tmp_path)
    assert not videos.videos
    reasons = {row.id: row.reason for row in videos.left_out}
    assert "'strum_guitar' is not one of those with phases" in reasons["train/0001"]
    assert "no file of phases" in reasons["0002"]
    assert "0003.mat names no action" in reasons["train/0003"]
    assert "no frames" in reasons["train/0004"]


@pytest.mark.parametrize("phases", [np.zeros((2, 2), int), np.zeros(3), np.array([None])])
def test_phases_that_are_none(tmp_path: Path, phases: np.ndarray) -> None:
    np.save(tmp_path / "a.npy", phases, allow_pickle=True)
    with pytest.raises(InputError, match=r"a\.npy"):
        read_phases(tmp_path / "a.npy")


def test_no_phase_at_all(tmp_path: Path) -> None:
    write_penn_video(tmp_path, 1, "bowl", 3, np.zeros(0, int).tolist())
    np.save(tmp_path / "penn_action_labels/train/bowl/0001_phases.npy", np.zeros(0, int))
    (video,) = listed(tmp_path).videos
    with pytest.raises(InputError, match="is empty: there is no phase for 3 frames"):
        video.read_labels(3)


def test_missing_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no folder .*frames. Unpack"):
        listed(tmp_path)
    write_penn_video(tmp_path, 1, "bowl", 3, None)
    with pytest.raises(InputError, match=r"penn_action_labels\. Download"):
        listed(tmp_path)
    (tmp_path / "penn_action_labels").mkdir()
    with pytest.raises(InputError, match="there is no file train"):
        listed(tmp_path)


def test_published_actions() -> None:
    assert len(ACTIONS) == 13
    assert sum(PHASES.values()) == 42


def test_frames_without_zeros_keep_their_labels(tmp_path: Path) -> None:
    phases = [rank * 4 // 20 for rank in range(20)]
    write_penn_video(tmp_path, 1, "squat", 20, phases)
    (video,) = listed(take_zeros_off(tmp_path)).videos
    assert (tmp_path / "frames/0001/9.jpg").is_file()
    assert frames_of(video) == list(range(20))
    assert video.read_labels(20).tolist() == phases


def test_hidden_files_are_neither_frames_nor_phases(tmp_path: Path) -> None:
    write_penn_video(tmp_path, 1, "squat", 5, [0, 1, 2, 3, 3])
    (tmp_path / "frames/.Trash").mkdir()
    videos = listed(add_hidden_files(tmp_path))
    assert [video.id for video in videos.videos] == ["train/0001_squat"]
    assert not videos.left_out
    assert frames_of(videos.videos[0]) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("missing", "complaint"),
    [(3, "has frame 000002 and then 000004: those between are missing"), (1, "begins with frame 2: those")],
)
def test_labels_are_not_given_to_other_frames_where_some_are_missing(
    tmp_path: Path, missing: int, complaint: str
) -> None:
    write_penn_video(tmp_path, 1, "bowl", 5, [0, 1, 2, 2, 2])
    (tmp_path / f"frames/0001/{missing:06d}.jpg").unlink()
    videos = listed(tmp_path)
    assert not videos.videos
    assert complaint in videos.left_out[0].reason


@pytest.mark.parametrize(("dtype", "phase"), [(np.uint64, 2**64 - 1), (np.int64, -2), (np.int16, 6)])
def test_numbers_that_cannot_be_phases_leave_the_video_out(tmp_path: Path, dtype: type, phase: int) -> None:
    """The largest number of 64 bits would become -1 in a signed one, which says that there is no label."""
    write_penn_video(tmp_path, 1, "bowl", 3, [0, 1, 2])
    np.save(tmp_path / "penn_action_labels/train/bowl/0001_phases.npy", np.array([0, phase, 2], dtype))
    videos = listed(tmp_path)
    assert not videos.videos
    assert f"0001_phases.npy: a phase: number 1 of 3 is {phase}" in videos.left_out[0].reason


def test_phases_that_are_an_archive_or_describe_more_than_there_is(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        write_penn_video(tmp_path, number, "bowl", 3, [0, 1, 2])
    folder = tmp_path / "penn_action_labels/train/bowl"
    with (folder / "0001_phases.npy").open("wb") as file:
        np.savez(file, phases=np.arange(3))
    path = folder / "0002_phases.npy"
    path.write_bytes(path.read_bytes().replace(b"(3,), }" + b" " * 12, b"(3000000000000,), }"))
    videos = listed(tmp_path)
    assert [video.id for video in videos.videos] == ["train/0003_bowl"]
    found = {row.id: row.reason for row in videos.left_out}
    assert "0001_phases.npy is no readable file of phases" in found["train/0001"]
    assert "(3000000000000,), which are not its 24 bytes" in found["train/0002"]


def test_a_page_in_place_of_phases_is_called_that(tmp_path: Path) -> None:
    write_penn_video(tmp_path, 1, "bowl", 3, [0, 1, 2])
    page = tmp_path / "penn_action_labels/train/bowl/0001_phases.npy"
    page.write_text("<!DOCTYPE html><html>Sign in</html>")
    assert "it is a web page" in listed(tmp_path).left_out[0].reason
