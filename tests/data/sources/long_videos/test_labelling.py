from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.frame_store.video_episode import VideoEpisode
from vidrep_pipelines.data.sources.long_videos.labelling import (
    Prepared,
    frame_labels,
    label_videos,
    preparations,
)
from vidrep_pipelines.data.sources.long_videos.video import Labels, LeftOut, LongVideo, LongVideos

WHOLE, DAMAGED = Prepared(4, False, None), Prepared(4, True, "frame 4 is damaged")


def fixed(labels: list[int]) -> Callable[[int], Labels]:
    return lambda frames: np.array(labels)


def video(labels: list[int], name: str = "train/a", phases: bool = True) -> LongVideo:
    return LongVideo(VideoEpisode(name, Path("a.mp4")), "train", fixed(labels), 3, phases, "pour", 0)


def test_one_label_per_frame() -> None:
    assert frame_labels(video([-1, 0, 1, 2]), WHOLE).tolist() == [-1, 0, 1, 2]
    assert frame_labels(video([0, 0, 1, 2, 2, 2]), DAMAGED).tolist() == [0, 0, 1, 2]


@pytest.mark.parametrize(
    ("labels", "prepared", "message"),
    [
        ([0, 0, 1, 2, 2], WHOLE, "train/a has 4 frames but 5 labels"),
        ([0, 0, 1], WHOLE, "4 frames but 3 labels"),
        ([0, 0, 1], DAMAGED, "4 frames but 3 labels"),
        ([0, 0, 1, 3], WHOLE, r"has the label 3; known are 0\.\.2"),
        ([-2, 0, 1, 2], WHOLE, "has the label -2"),
        ([0], Prepared(0, True, "camera -1: 1 usable frames, at least 2 are wanted"), "1 usable frames"),
    ],
    ids=[
        "labels longer",
        "labels shorter",
        "shorter than what is left",
        "unknown class",
        "negative",
        "one frame",
    ],
)
def test_what_does_not_fit_is_named(labels: list[int], prepared: Prepared, message: str) -> None:
    with pytest.raises(InputError, match=message):
        frame_labels(video(labels), prepared)


def test_index_names_absent_phases_and_keeps_the_order() -> None:
    offered = LongVideos(
        [video([0, 0, -1, 2], "train/b"), video([0, 1, 2, 2], "train/a"), video([9] * 4, "train/c")],
        [LeftOut("d", "", "missing")],
    )
    index, left_out = label_videos(offered, dict.fromkeys(("train/a", "train/b", "train/c"), WHOLE))
    assert index.ids == ["train/b", "train/a"]
    assert index.table["absent_phases"].tolist() == ["1", pd.NA]
    assert index.table["labelled_frames"].tolist() == [3, 4]
    assert left_out["id"].tolist() == ["d", "train/c"]
    assert "label 9" in left_out["reason"][1]
    classes, _ = label_videos(LongVideos([video([0] * 4, phases=False)], []), {"train/a": WHOLE})
    assert classes.table["absent_phases"].isna().all()


def test_what_the_preparation_says() -> None:
    manifest = pd.DataFrame(
        {
            "id": ["a", "b", "c"],
            "status": ["ok", "ok", "failed"],
            "frames": pd.array([3, 2, None], dtype="Int64"),
            "verdict": ["healthy", "damaged", None],
            "problems": [None, "broke off", None],
            "error": [None, None, "no video"],
        }
    )
    assert preparations(manifest) == {
        "a": Prepared(3, False, None),
        "b": Prepared(2, True, "broke off"),
        "c": Prepared(0, True, "no video"),
    }


def test_names_that_cannot_be_used() -> None:
    offered = LongVideos([video([], "train/a"), video([], "train/a"), video([], "train/../b")], [])
    usable = offered.named_once()
    assert [found.id for found in usable.videos] == ["train/a"]
    assert ["twice" in row.reason for row in usable.left_out] == [True, False]
