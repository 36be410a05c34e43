from pathlib import Path

import numpy as np
import pytest

from tests.helpers.long_videos import index_entry, write_index
from tests.helpers.videos import read_barcodes, write_video
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.sources.long_videos.published_index import IndexForm, indexed_videos, read_index

POURING = IndexForm({"train": "train.pkl", "validation": "val.pkl"}, (5,), (), phases=True)
PENN = IndexForm({"train": "train.pkl"}, (4, 2), ("pitch", "bowl"), phases=True)
FINEGYM = IndexForm({"train": "gym99_train_v1.0.pkl"}, (99,), (), phases=False)


def test_pouring(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_video(tmp_path / f"videos/{name}.mp4", 4)
    write_index(
        tmp_path / "train.pkl", [index_entry("b", np.array([0, 1, 2, 4])), index_entry("a", np.zeros(4, int))]
    )
    write_index(tmp_path / "val.pkl", [index_entry("gone", np.zeros(3, int))])
    videos = indexed_videos(tmp_path, POURING)
    assert [video.id for video in videos.videos] == ["train/b", "train/a"]
    assert videos.videos[0].read_labels(4).tolist() == [0, 1, 2, 4]
    with videos.videos[0].source.open() as episode:
        (view,) = episode.views
        assert read_barcodes(np.stack(list(view.pictures))) == [0, 1, 2, 3]
    ((name, split, reason),) = videos.left_out
    assert (name, split) == ("validation/gone", "validation")
    assert "val.pkl: it names videos/gone.mp4, but there is no such file" in reason


def test_penn_action_pairs(tmp_path: Path) -> None:
    entries = [
        index_entry("1_pitch", np.array([0, 1, 3]), action_label=0),
        index_entry("2_bowl", np.array([0, 1, 1]), action_label=1),
        index_entry("3_run", np.array([0, 1, 1]), action_label=2),
        index_entry("4_pitch", np.array([0, 1]), action_label=0) | {"seq_len": 3},
    ]
    for entry in entries:
        write_video(tmp_path / entry["video_file"], 3)
    write_index(tmp_path / "train.pkl", (entries, [[0], [1]]))
    videos = indexed_videos(tmp_path, PENN)
    found = [(video.action, video.action_label, video.classes) for video in videos.videos]
    assert found == [("pitch", 0, 4), ("bowl", 1, 2)]
    reasons = [row.reason for row in videos.left_out]
    assert "no action 2 among 2" in reasons[0]
    assert "2 labels for 3 frames" in reasons[1]


def test_finegym_labels_are_floating_point(tmp_path: Path) -> None:
    write_video(tmp_path / "videos/e.mp4", 3)
    entry = index_entry("e", np.array([-1.0, 98.0, -1.0], np.float32), event_label=2)
    write_index(tmp_path / "gym99_train_v1.0.pkl", [entry])
    (video,) = indexed_videos(tmp_path, FINEGYM).videos
    assert video.read_labels(3).tolist() == [-1, 98, -1]
    assert (video.action_label, video.phases) == (2, False)


@pytest.mark.parametrize(
    "content",
    [
        {"a": 1},
        [3],
        [{"name": "a"}],
        [index_entry("a", np.array([0.5]))],
        [index_entry("a", np.array([np.nan]))],
        [index_entry("a", np.array([-2]))],
        [index_entry("a", np.array([2**16]))],
        [index_entry("a", np.zeros(1, int)) | {"seq_len": 1.5}],
        [index_entry("a", np.zeros(1, int)) | {"seq_len": -1}],
        [index_entry("a", np.zeros(1, int), event_label=1.7)],
        [index_entry("a", np.zeros(1, int)) | {"video_file": "../a.mp4"}],
        [index_entry("a", np.zeros(1, int)) | {"video_file": "/a.mp4"}],
    ],
)
def test_other_content_is_refused(tmp_path: Path, content: object) -> None:
    with pytest.raises(InputError, match=r"a\.pkl"):
        read_index(write_index(tmp_path / "a.pkl", content))
