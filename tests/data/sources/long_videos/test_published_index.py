import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.fuzz.limits import within_limits
from tests.helpers.long_videos import index_entry, write_index
from tests.helpers.videos import read_barcodes, write_video
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.sources.long_videos.published_index import (
    IndexForm,
    indexed_videos,
    load_tensor_pickle,
    read_index,
)


class Malicious:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("executed",)


class HiddenInStorage:
    """A pickle inside the bytes that are said to be a tensor's memory."""

    def __reduce__(self) -> tuple[object, tuple[bytes]]:
        return torch.storage._load_from_bytes, (pickle.dumps(Malicious()),)


class BeyondMemory:
    """A tensor that claims more memory than it has."""

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        storage = torch.storage.TypedStorage([0.0, 0.0], dtype=torch.float32, _internal=True)
        return torch._utils._rebuild_tensor_v2, (storage, 0, (1000,), (1,), False, {})


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("kind", [torch.int64, torch.float32, torch.int32, torch.uint8, torch.float64])
def test_tensors_become_arrays(tmp_path: Path, protocol: int, kind: torch.dtype) -> None:
    content = ([{"label": torch.arange(6).to(kind), "id": 3}], [[0], [1, 2]])
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(content, protocol))
    rows, groups = load_tensor_pickle(tmp_path / "a.pkl")
    assert groups == [[0], [1, 2]]
    np.testing.assert_array_equal(rows[0]["label"], np.arange(6))
    assert rows[0]["label"].dtype == torch.arange(1).to(kind).numpy().dtype


def test_views_of_one_memory(tmp_path: Path) -> None:
    memory = torch.arange(12).reshape(3, 4)
    (tmp_path / "a.pkl").write_bytes(pickle.dumps([memory.T, memory[1:, ::2]]))
    turned, part = load_tensor_pickle(tmp_path / "a.pkl")
    np.testing.assert_array_equal(turned, memory.T.numpy())
    np.testing.assert_array_equal(part, memory[1:, ::2].numpy())


@pytest.mark.parametrize(
    "value", [Malicious(), [torch.zeros(1), Malicious()], HiddenInStorage(), BeyondMemory()]
)
def test_nothing_is_executed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: object) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.pkl").write_bytes(pickle.dumps(value))
    with pytest.raises(InputError, match=r"bad\.pkl was not read"):
        load_tensor_pickle(tmp_path / "bad.pkl")
    assert not (tmp_path / "executed").exists()


def test_missing_and_torn_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        load_tensor_pickle(tmp_path / "none.pkl")
    (tmp_path / "torn.pkl").write_bytes(pickle.dumps([torch.zeros(3)])[:-9])
    with pytest.raises(InputError, match=r"torn\.pkl was not read"):
        load_tensor_pickle(tmp_path / "torn.pkl")


class Expanded:
    """One number that claims to be very many."""

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        storage = torch.storage.TypedStorage([0.0], dtype=torch.float32, _internal=True)
        return torch._utils._rebuild_tensor_v2, (storage, 0, (1 << 30,), (0,), False, {})


def test_tensors_without_memory_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(Expanded()))
    with (
        within_limits(),
        pytest.raises(InputError, match=r"a tensor of shape \(1073741824,\) is made of 1 num"),
    ):
        load_tensor_pickle(tmp_path / "a.pkl")


def test_a_pointer_in_place_of_a_list(tmp_path: Path) -> None:
    path = tmp_path / "train.pkl"
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 9\n")
    with pytest.raises(InputError, match=r"train\.pkl was not read: it is a Git-LFS pointer.*git lfs pull"):
        load_tensor_pickle(path)


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
