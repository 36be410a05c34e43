import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch.utils.data import default_collate

from tests.helpers.stores import ArrayEpisode, assembly_job, prepare, shard_requests
from tests.helpers.videos import read_barcodes, write_video
from tests.models.carl.videos import NumberedVideos, label_index, shown
from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.data.clips.dataset import PackedClips
from vidrep_pipelines.data.frame_store.manifest import write_store_manifest
from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.fanout.runner import run_job
from vidrep_pipelines.models.carl.config import AugmentationConfig, CarlDataConfig
from vidrep_pipelines.models.carl.dataset import ExcerptDataset, FrameLabelRows, write_frame_labels
from vidrep_pipelines.models.carl.excerpt_sampling import ExcerptSamplingConfig
from vidrep_pipelines.models.carl.video_source import StoredVideos, VideoFiles

VIDEOS: list[tuple[str, str, list[int]]] = [
    ("train/b", "bowl", [0, 1, 1, 2]),
    ("train/a", "squat", [-1, 287]),
    ("train/c", "squat", []),
]


@pytest.fixture
def table(tmp_path: Path) -> FrameLabelRows:
    return FrameLabelRows(write_frame_labels(label_index(*VIDEOS), tmp_path))


def test_labels_and_actions_are_found_by_name(table: FrameLabelRows) -> None:
    for rows in (table, pickle.loads(pickle.dumps(table))):
        for name, action, labels in VIDEOS:
            found = rows.labels(name, len(labels))
            assert found.dtype == np.int64 and found.tolist() == labels
            assert rows.action(name) == action


def test_equal_labels_are_left_alone_and_others_replace_them(table: FrameLabelRows) -> None:
    inode = table.path.stat().st_ino
    write_frame_labels(label_index(*VIDEOS), table.path.parent)
    assert table.path.stat().st_ino == inode
    write_frame_labels(label_index(*VIDEOS[:2]), table.path.parent)
    assert table.path.stat().st_ino != inode
    table.path.write_bytes(b"damaged")
    assert (
        FrameLabelRows(write_frame_labels(label_index(*VIDEOS), table.path.parent)).action("train/c")
        == "squat"
    )


def test_labels_of_another_length_and_unknown_videos_are_refused(table: FrameLabelRows) -> None:
    with pytest.raises(InputError, match="train/b has 5 frames but 4 labels"):
        table.labels("train/b", 5)
    with pytest.raises(InputError, match="no labels of train/x"):
        table.labels("train/x", 1)


def test_other_files_are_no_tables(tmp_path: Path) -> None:
    path = tmp_path / "labels.arrow"
    path.write_text("nothing")
    for rows in (FrameLabelRows(path), FrameLabelRows(tmp_path / "nowhere.arrow")):
        with pytest.raises(InputError, match="no table of frame labels"):
            rows.action("a")


LENGTHS = [200, 90, 150, 120]
PLAIN = AugmentationConfig.none()


def make_data(frames: int = 50, **fields: Any) -> CarlDataConfig:
    sampling = ExcerptSamplingConfig(frames=frames, **fields.pop("sampling", {}))
    return CarlDataConfig(sampling=sampling, **{"augmentation": PLAIN, **fields})


@pytest.fixture
def labels(tmp_path: Path) -> FrameLabelRows:
    videos = [
        (f"video_{number}", "bowl" if number else "squat", (np.arange(length) // 10).tolist())
        for number, length in enumerate(LENGTHS)
    ]
    return FrameLabelRows(write_frame_labels(label_index(*videos), tmp_path))


def equal(first: dict[str, Any], second: dict[str, Any]) -> bool:
    return first.keys() == second.keys() and all(
        torch.equal(torch.as_tensor(first[name]), torch.as_tensor(second[name])) for name in first
    )


def test_a_sample_shows_the_frames_that_it_names() -> None:
    sample = ExcerptDataset(NumberedVideos(LENGTHS), make_data(), 32)[0, 2]
    assert sample["frames"].shape == (2, 50, 3, 32, 32) and sample["frames"].dtype == torch.uint8
    frames, videos = shown(sample["frames"])
    assert torch.equal(frames.long(), sample["positions"]) and (videos == 2).all()
    assert sample["mask"].shape == (2, 50) and sample["lengths"].tolist() == [150, 150]
    assert sample["colors"].shape == (2, 10) and (sample["labels"] == -1).all()
    assert (sample["index"], sample["replaced"]) == (2, 0)


def test_context_frames_come_before_their_position() -> None:
    data = make_data(10, sampling={"context_frames": 3, "context_stride": 7, "strategy": "offset_uniform"})
    sample = ExcerptDataset(NumberedVideos(LENGTHS), data, 32)[0, 0]
    frames = shown(sample["frames"])[0].long().unflatten(1, (10, 3))
    expected = (sample["positions"][..., None] - torch.tensor([14, 7, 0])).clamp_min(0)
    assert torch.equal(frames, expected)


def test_every_frame_is_read_once_and_a_few_at_a_time() -> None:
    videos = NumberedVideos(LENGTHS)
    _ = ExcerptDataset(videos, make_data(), 32)[0, 0]
    read = [rank for _, ranks in videos.calls for rank in ranks]
    assert read == sorted(set(read))
    assert max(len(ranks) for _, ranks in videos.calls) <= 32


def test_samples_depend_on_seed_epoch_and_index_only() -> None:
    data = make_data(augmentation=AugmentationConfig())
    first = ExcerptDataset(NumberedVideos(LENGTHS), data, 32, seed=3)
    again = ExcerptDataset(NumberedVideos(LENGTHS), data, 32, seed=3)
    _ = again[0, 0]
    assert equal(first[1, 2], again[1, 2])
    other = ExcerptDataset(NumberedVideos(LENGTHS), data, 32, seed=4)
    for sample in (first[2, 2], other[1, 2]):
        assert not torch.equal(sample["positions"], first[1, 2]["positions"])
        assert not torch.equal(sample["colors"], first[1, 2]["colors"])


def test_views_are_augmented_each_for_itself_and_frames_alike() -> None:
    dataset = ExcerptDataset(NumberedVideos([60]), make_data(8, augmentation=AugmentationConfig()), 32)
    samples = [dataset[epoch, 0] for epoch in range(6)]
    assert any(not torch.equal(*sample["colors"]) for sample in samples)


def test_exact_augmentation_gives_normalized_floats() -> None:
    exact = make_data(6, augmentation=AugmentationConfig(exact=True))
    sample = ExcerptDataset(NumberedVideos(LENGTHS), exact, 32)[0, 1]
    assert sample["frames"].dtype == torch.float32 and sample["frames"].shape == (2, 6, 3, 32, 32)
    assert sample["frames"].min() < -1
    basic = AugmentationConfig.basic().model_copy(update={"exact": True})
    assert (
        ExcerptDataset(NumberedVideos(LENGTHS), make_data(6, augmentation=basic), 32)[0, 1]["frames"]
        .isfinite()
        .all()
    )


def test_labels_follow_the_positions(labels: FrameLabelRows) -> None:
    sample = ExcerptDataset(NumberedVideos(LENGTHS), make_data(), 32, labels=labels)[0, 3]
    assert torch.equal(sample["labels"], sample["positions"] // 10)


def test_companions_show_the_same_action(labels: FrameLabelRows) -> None:
    data = make_data(5, sampling={"views": 2}, videos_per_sample=3)
    dataset = ExcerptDataset(NumberedVideos(LENGTHS), data, 32, labels=labels)
    sample = dataset[0, 2]
    videos = shown(sample["frames"])[1][:, 0].tolist()
    assert videos[:2] == [2, 2] and sorted(videos) == [1, 1, 2, 2, 3, 3]
    assert sample["lengths"].tolist() == [LENGTHS[video] for video in videos]
    alone = dataset[0, 0]  # its action has no other video, so another video takes its place
    assert alone["replaced"] > 0 and alone["index"] != 0
    with pytest.raises(ConfigurationError, match="videos_per_sample is 3"):
        ExcerptDataset(NumberedVideos(LENGTHS), data, 32)


def test_bad_videos_are_replaced_in_the_same_way_every_time() -> None:
    def sample() -> dict[str, Any]:
        return ExcerptDataset(NumberedVideos(LENGTHS, frozenset({0, 1, 2})), make_data(), 32)[0, 1]

    assert sample()["index"] == 3 and sample()["replaced"] > 0
    assert equal(sample(), sample())
    with pytest.raises(InputError, match="9 videos in a row") as caught:
        ExcerptDataset(NumberedVideos(LENGTHS, frozenset(range(4))), make_data(), 32)[0, 1]
    assert "video_1 is broken on purpose" in str(caught.value)


def test_labels_of_another_length_than_the_video_are_no_silent_error(tmp_path: Path) -> None:
    rows = FrameLabelRows(write_frame_labels(label_index(("video_0", "bowl", [0] * 7)), tmp_path))
    with pytest.raises(InputError, match="has 9 frames but 7 labels"):
        ExcerptDataset(NumberedVideos([9]), make_data(4), 32, labels=rows)[0, 0]


def test_a_fraction_takes_the_first_videos() -> None:
    dataset = ExcerptDataset(NumberedVideos(LENGTHS), make_data(fraction=0.5), 32)
    assert len(dataset) == 2 and dataset.name(1) == "video_1"
    assert len(ExcerptDataset(NumberedVideos(LENGTHS), make_data(fraction=0.01), 32)) == 1
    with pytest.raises(IndexError):
        dataset[0, 2]
    with pytest.raises(InputError, match="no videos"):
        ExcerptDataset(NumberedVideos([]), make_data(), 32)


def test_videos_of_one_frame_make_samples() -> None:
    sample = ExcerptDataset(NumberedVideos([1]), make_data(6), 32)[0, 0]
    assert (shown(sample["frames"])[0] == 0).all() and sample["mask"].sum() <= 2


def test_samples_are_collated() -> None:
    dataset = ExcerptDataset(NumberedVideos(LENGTHS), make_data(5), 32)
    batch = default_collate([dataset[0, index] for index in range(3)])
    assert batch["frames"].shape == (3, 2, 5, 3, 32, 32) and batch["lengths"].shape == (3, 2)


def test_files_are_read_by_rank(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4", 60, width=64, height=64)
    clips = PackedClips(pd.DataFrame({"id": ["a"], "path": ["a.mp4"], "frames": [60]}))
    sample = ExcerptDataset(VideoFiles(clips, tmp_path), make_data(20), 64)[0, 0]
    for view in (0, 1):
        pictures = sample["frames"][view].permute(0, 2, 3, 1).numpy()
        assert read_barcodes(pictures) == sample["positions"][view].tolist()


def test_several_splits_of_a_frame_store_follow_one_another(tmp_path: Path) -> None:
    episodes = [ArrayEpisode(f"kuka/traj{number}", lengths=(4 + number,)) for number in range(6)]
    requests = shard_requests(prepare(tmp_path / "episodes", episodes))
    write_store_manifest(tmp_path / "store", run_job(assembly_job(requests), tmp_path / "store").ids)
    store, videos = FrameStore(tmp_path / "store"), StoredVideos(tmp_path / "store", ("test", "train"))
    names = [*store.select("test").ids, *store.select("train").ids]
    assert [videos.name(index) for index in range(len(videos))] == names and len(names) == 5
    for index, name in enumerate(names):
        assert videos.length(index) == store.length(name)
        np.testing.assert_array_equal(videos.read(index, np.array([0, 3])), store.frames(name, [0, 3]))


def test_views_of_a_frame_store_are_its_frames(tmp_path: Path) -> None:
    episodes = [ArrayEpisode(f"kuka/traj{number}") for number in range(6)]
    requests = shard_requests(prepare(tmp_path / "episodes", episodes))
    write_store_manifest(tmp_path / "store", run_job(assembly_job(requests), tmp_path / "store").ids)
    store = FrameStore(tmp_path / "store").select("train")
    dataset = ExcerptDataset(StoredVideos(tmp_path / "store", ("train",)), make_data(4), store.facts.height)
    assert [dataset.name(index) for index in range(len(dataset))] == list(store.ids)
    sample = dataset[0, 1]
    assert sample["lengths"].tolist() == [store.length(store.ids[1])] * 2
    for view in (0, 1):
        expected = store.frames(store.ids[1], sample["positions"][view].tolist())
        assert (sample["frames"][view].permute(0, 2, 3, 1).numpy() == expected).all()
