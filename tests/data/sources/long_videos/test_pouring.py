import json
from pathlib import Path

import numpy as np
import pytest

from tests.helpers.foreign_files import add_hidden_files
from tests.helpers.long_videos import jpeg, pouring_payload, sequence_example, write_pouring, write_tfrecords
from tests.helpers.videos import barcode_frames, read_barcodes
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.frame_store.episode import DamagedViewError
from vidrep_pipelines.data.sources.long_videos.pouring import (
    decoded,
    list_records,
    pouring_videos,
    record_frames,
    record_labels,
    record_name,
    split_of_file,
    tfrecord_files,
)
from vidrep_pipelines.data.sources.long_videos.sequence_example import parse_sequence_example
from vidrep_pipelines.data.sources.long_videos.tfrecord import CorruptRecordError
from vidrep_pipelines.data.sources.long_videos.video import LongVideos


def videos_in(root: Path) -> LongVideos:
    listed = []
    for path in tfrecord_files(root):
        list_records(path, {".json": path.with_suffix(".json")})
        listed.append((path, path.with_suffix(".json"), "version"))
    return pouring_videos(listed)


def test_all_records_of_all_files(tmp_path: Path) -> None:
    videos = videos_in(write_pouring(tmp_path))
    assert [video.id for video in videos.videos] == ["train/a", "train/b", "train/c", "validation/d"]
    assert not videos.left_out
    for video, frames in zip(videos.videos, (6, 8, 7, 9), strict=True):
        with video.source.open() as episode:
            (view,) = episode.views
            assert read_barcodes(np.stack(list(view.pictures))) == list(range(frames))
        assert video.read_labels(frames).tolist() == [rank * 5 // frames for rank in range(frames)]
    assert len({video.source.digest for video in videos.videos}) == 4


def test_corrupt_record_is_left_out_and_recorded(tmp_path: Path) -> None:
    path = write_tfrecords(
        tmp_path / "pouring_train-0-of-2.tfrecord", [pouring_payload(name, 4) for name in "abc"]
    )
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x10
    path.write_bytes(data)
    facts = list_records(path, {".json": tmp_path / "list.json"})
    assert facts == {"records": 3, "corrupt": 1}
    videos = pouring_videos([(path, tmp_path / "list.json", "")])
    assert [video.id for video in videos.videos] == ["train/a", "train/c"]
    ((name, split, reason),) = videos.left_out
    assert (name, split) == ("pouring_train-0-of-2/00001", "train")
    assert "CRC-32C" in reason


def test_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "pouring_val-0-of-1.tfrecord").touch()
    with pytest.raises(InputError, match=r"val-0-of-1\.tfrecord holds no record\. Remedy"):
        list_records(tmp_path / "pouring_val-0-of-1.tfrecord", {".json": tmp_path / "list.json"})


def test_record_without_a_name(tmp_path: Path) -> None:
    path = write_tfrecords(tmp_path / "pouring_val-0-of-1.tfrecord", [sequence_example("", [], [])])
    list_records(path, {".json": tmp_path / "list.json"})
    (row,) = json.loads((tmp_path / "list.json").read_text())
    assert row["error"] == "record 0: it holds no name of a video"


def test_step_without_a_picture() -> None:
    example = parse_sequence_example(sequence_example("a", [b"x"], [0]))
    assert (record_name(example), record_frames(example)) == ("a", [b"x"])
    example.lists["video"].append([])
    with pytest.raises(CorruptRecordError, match="of 2 steps, 1 hold a picture"):
        record_frames(example)


def test_a_record_without_labels_is_unlabelled() -> None:
    example = parse_sequence_example(sequence_example("a", [b"x", b"y"], []))
    assert record_labels(example, 2).tolist() == [-1, -1]


@pytest.mark.parametrize("broken", [[], [1, 2]])
def test_a_step_without_its_one_label_shifts_no_others(broken: list[int]) -> None:
    example = parse_sequence_example(sequence_example("a", [b"x", b"y", b"z"], [0, 1, 2]))
    example.lists["frame_labels"][1] = broken
    with pytest.raises(CorruptRecordError, match="of 3 steps, 2 hold one label"):
        record_labels(example, 3)


@pytest.mark.parametrize("label", [-2, 5, 2**40])
def test_a_label_out_of_range(label: int) -> None:
    example = parse_sequence_example(sequence_example("a", [b"x"], [label]))
    with pytest.raises(InputError, match=rf"frame_labels: number 0 of 1 is {label}"):
        record_labels(example, 1)


def test_a_name_that_is_no_text(tmp_path: Path) -> None:
    payload = pouring_payload("name", 2).replace(b"name", b"na\xffe", 2).replace(b"na\xffe", b"name", 1)
    path = write_tfrecords(tmp_path / "pouring_val-0-of-1.tfrecord", [payload, pouring_payload("b", 2)])
    assert list_records(path, {".json": tmp_path / "list.json"}) == {"records": 2, "corrupt": 1}
    row, _ = json.loads((tmp_path / "list.json").read_text())
    assert "the name of its video is no UTF-8" in row["error"]


def test_damaged_picture_ends_the_video() -> None:
    first, second = (jpeg(frame) for frame in barcode_frames(2))
    pictures = decoded([first, second[:40], first])
    assert next(pictures).shape == (64, 96, 3)
    with pytest.raises(DamagedViewError, match="frame 1 is no whole JPEG"):
        next(pictures)


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("pouring_train-1-of-2", "train"),
        ("pouring_val-0-of-1", "validation"),
        ("my_set_val-0-of-1", "validation"),
    ],
)
def test_split_of_file(name: str, split: str) -> None:
    assert split_of_file(Path(f"{name}.tfrecord")) == split


def test_other_names_and_missing_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"There is no \*\.tfrecord file"):
        tfrecord_files(tmp_path)
    (tmp_path / "pouring_test-0-of-1.tfrecord").touch()
    with pytest.raises(InputError, match="rename it"):
        tfrecord_files(tmp_path)


def test_hidden_files_are_no_records(tmp_path: Path) -> None:
    videos = videos_in(add_hidden_files(write_pouring(tmp_path)))
    assert len(videos.videos) == 4
    assert not videos.left_out
