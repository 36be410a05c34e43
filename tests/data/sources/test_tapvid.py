"""TAP-Vid's two layouts, and what may be wrong with them."""

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.helpers.label_sequences import tiny_clips, write_release
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.label_sequences.point_videos import (
    evaluated_point_videos,
    point_video_table,
    read_point_video,
)
from vidrep_pipelines.data.sample_world.truth import read_truth
from vidrep_pipelines.data.sources.tapvid import read_tapvid, tapvid_file


class Malicious:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("executed",)


def video(frames: int = 4, points: int = 3) -> dict[str, Any]:
    rng = np.random.default_rng(frames)
    return {
        "video": rng.integers(0, 256, (frames, 6, 8, 3), dtype=np.uint8),
        "points": rng.random((points, frames, 2)).astype(np.float32),
        "occluded": np.zeros((points, frames), bool),
    }


def unpacked(content: object, folder: Path, protocol: int = 4) -> pd.DataFrame:
    path, made = folder / "tapvid_davis.pkl", folder / "videos.h5"
    path.write_bytes(pickle.dumps(content, protocol))
    read_tapvid(path, {".h5": made})
    return point_video_table(made, "digest")


@pytest.mark.parametrize("protocol", [2, 4, 5])
@pytest.mark.parametrize("named", [True, False])
def test_both_layouts_are_read_as_they_were_written(tmp_path: Path, named: bool, protocol: int) -> None:
    videos = [video(4, 3), video(5, 2)]
    videos[1]["occluded"][0, 2:] = True
    videos[1]["points"][0, 2:] = np.nan  # where nobody sees it
    content: object = {"bear": videos[0], "car-turn": videos[1]} if named else videos
    table = unpacked(content, tmp_path, protocol)
    assert table["id"].tolist() == (["bear", "car-turn"] if named else ["video_000", "video_001"])
    assert table[["frames", "width", "height", "points"]].values.tolist() == [[4, 8, 6, 3], [5, 8, 6, 2]]
    assert table["digest"].nunique() == 2
    rows = evaluated_point_videos(table)
    for row, wanted in zip(rows.values(), videos, strict=True):
        found = read_point_video(row)
        np.testing.assert_array_equal(found.frames, wanted["video"])
        np.testing.assert_array_equal(found.occluded, wanted["occluded"])
        seen = ~wanted["occluded"]
        np.testing.assert_array_equal(found.points[seen], wanted["points"][seen].astype(np.float64))
        assert np.isfinite(found.points).all()


def broken(name: str, value: object) -> dict[str, Any]:
    return {**video(), name: value}


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({"video": video()["video"]}, "points, occluded is missing"),
        ("text", "video, points, occluded is missing"),
        (broken("video", np.zeros((4, 6, 8, 3), "f4")), "not frames"),
        (broken("video", [b"jpeg"] * 4), "TAP-Vid-Kinetics"),
        (broken("points", np.zeros((3, 5, 2), "f4")), r"not \(N, 4, 2\)"),
        (broken("points", np.full((3, 4, 2), np.nan)), "no position"),
        (broken("occluded", np.zeros((3, 5), bool)), "truth values"),
        (broken("occluded", np.ones((3, 4), bool)), "ever visible"),
        (video(frames=1), "single frame"),
    ],
)
def test_a_video_that_is_not_as_it_should_be_costs_itself(tmp_path: Path, entry: Any, reason: str) -> None:
    table = unpacked({"bad": entry, "good": video()}, tmp_path)
    assert table.set_index("id")["error"].isna().to_dict() == {"bad": False, "good": True}
    with pytest.raises(InputError, match=reason):
        raise InputError(table["error"][0])
    assert list(evaluated_point_videos(table)) == ["good"]


def test_no_video_that_can_be_evaluated(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"None of 1 videos.*single frame"):
        evaluated_point_videos(unpacked([video(frames=1)], tmp_path))


@pytest.mark.parametrize(
    ("content", "reason"),
    [({}, "no video"), (3, "another layout"), ({"../x": video()}, "no name"), ({1: video()}, "no name")],
)
def test_another_layout_is_refused(tmp_path: Path, content: object, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        unpacked(content, tmp_path)


def test_nothing_is_executed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="nothing was executed"):
        unpacked({"bear": {**video(), "points": Malicious()}}, tmp_path)
    assert not (tmp_path / "executed").exists()


def test_the_file_may_be_named_or_its_folder(tmp_path: Path) -> None:
    for root, reason in ((tmp_path, "holds none"), (tmp_path / "none", "not there")):
        with pytest.raises(InputError, match=reason):
            tapvid_file(root)
    path = tmp_path / "tapvid_rgb_stacking.pkl"
    path.touch()
    assert tapvid_file(tmp_path) == tapvid_file(path) == path
    (tmp_path / "tapvid_davis.pkl").touch()
    with pytest.raises(InputError, match="has both files"):
        tapvid_file(tmp_path)


def test_the_miniature_is_in_the_layout(tmp_path: Path) -> None:
    root = tmp_path / "TAP-Vid"
    root.mkdir()
    path = tapvid_file(write_release("tapvid", root))
    read_tapvid(path, {".h5": tmp_path / "videos.h5"})
    table = point_video_table(tmp_path / "videos.h5", "digest")
    assert table["error"].isna().all()
    assert table["frames"].tolist() == [read_truth(clip.truth).frames for clip in tiny_clips()]
    assert (table["points"] > 11).all()  # the arm's keypoints and those of objects
