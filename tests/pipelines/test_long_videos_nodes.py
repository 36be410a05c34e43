"""Releases of long videos, in the published layouts, to frames and labels; what is bad is left out."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from kedro.pipeline import Pipeline

from tests.helpers.long_videos import (
    index_entry,
    pouring_payload,
    write_finegym,
    write_index,
    write_penn_video,
    write_pouring,
    write_tfrecords,
)
from tests.helpers.videos import read_barcodes, write_video
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.frame_store.config import FramesConfig
from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.data.labelled_videos.frame_labels import LabelledVideos
from vidrep_pipelines.data.sample_world.config import SampleWorldConfig
from vidrep_pipelines.data.sources.long_videos.config import FineGymConfig, PennActionConfig, PouringConfig
from vidrep_pipelines.datasets.frame_store import FrameStoreDataset
from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.fanout.parts import Parts
from vidrep_pipelines.fanout.runner import run_job
from vidrep_pipelines.pipelines.ingest import long_videos_nodes
from vidrep_pipelines.pipelines.ingest.long_videos_pipeline import (
    create_finegym_pipeline,
    create_penn_action_pipeline,
    create_pouring_pipeline,
)

SERIAL = FanOutConfig(engine="serial")
FRAMES = FramesConfig(height=48, width=64, min_frames=2)
WORLD = SampleWorldConfig(
    clips=4, activities=("pour", "wave"), width=64, height=48, frames_min=16, frames_max=20
)
Release = tuple[LabelledVideos, pd.DataFrame, Parts]


def pouring(config: PouringConfig, work: Path) -> Release:
    clips = run_job(long_videos_nodes.render_long_videos(config, SERIAL), work / "clips")
    records = run_job(long_videos_nodes.list_pouring_records(config, SERIAL), work / "records")
    prepared = run_job(long_videos_nodes.prepare_pouring(clips, records, config, SERIAL), work / "prepared")
    return *long_videos_nodes.label_pouring(clips, records, prepared, config), prepared


def penn_action(config: PennActionConfig, work: Path) -> Release:
    clips = run_job(long_videos_nodes.render_long_videos(config, SERIAL), work / "clips")
    prepared = run_job(long_videos_nodes.prepare_penn_action(clips, config, SERIAL), work / "prepared")
    return *long_videos_nodes.label_penn_action(clips, prepared, config), prepared


def finegym(config: FineGymConfig, work: Path) -> Release:
    clips = run_job(long_videos_nodes.render_long_videos(config, SERIAL), work / "clips")
    events = run_job(long_videos_nodes.cut_finegym_events(config, SERIAL), work / "events")
    prepared = run_job(long_videos_nodes.prepare_finegym(clips, events, config, SERIAL), work / "prepared")
    return *long_videos_nodes.label_finegym(clips, events, prepared, config), prepared


def stored(
    release: Release, config: PouringConfig | PennActionConfig | FineGymConfig, work: Path
) -> FrameStore:
    dataset = FrameStoreDataset(filepath=work / "store")
    dataset.save(long_videos_nodes.assemble_long_videos(release[2], release[0], config, SERIAL))
    return dataset.load()


def reasons(release: Release) -> dict[str, str]:
    return dict(zip(release[1]["id"], release[1]["reason"], strict=True))


def test_pouring_from_records_to_frames_and_labels(tmp_path: Path) -> None:
    config = PouringConfig(root=write_pouring(tmp_path / "release"), frames=FRAMES)
    release = pouring(config, tmp_path)
    assert release[0].ids == ["train/a", "train/b", "train/c", "validation/d"]
    assert release[1].empty
    store = stored(release, config, tmp_path)
    for video in release[0].ids:
        frames = store.frames(video)
        assert read_barcodes(frames) == list(range(len(frames)))
        assert release[0].of(video).tolist() == [rank * 5 // len(frames) for rank in range(len(frames))]
    assert list(store.select("validation").ids) == ["validation/d"]


def test_what_is_bad_in_pouring_is_named_and_the_rest_is_used(tmp_path: Path) -> None:
    payloads = [
        pouring_payload("whole", 5),
        pouring_payload("corrupt", 5),
        pouring_payload("labels_longer", 5, [0, 0, 1, 2, 3, 4]),
        pouring_payload("unknown_class", 5, [0, 1, 2, 3, 5]),
        pouring_payload("one_frame", 1, [0]),
        pouring_payload("absent_phases", 5, [0, 0, 1, 1, 4]),
    ]
    path = write_tfrecords(tmp_path / "release/pouring_train-0-of-1.tfrecord", payloads)
    data = bytearray(path.read_bytes())
    data[data.index(b"corrupt")] ^= 1
    path.write_bytes(data)
    release = pouring(PouringConfig(root=path.parent, frames=FRAMES), tmp_path)
    assert release[0].ids == ["train/whole", "train/absent_phases"]
    assert release[0].table["absent_phases"].tolist() == [pd.NA, "2,3"]
    found = reasons(release)
    assert "CRC-32C" in found["pouring_train-0-of-1/00001"]
    assert "has 5 frames but 6 labels" in found["train/labels_longer"]
    assert "has the label 5" in found["train/unknown_class"]
    assert "1 usable frames, at least 2 are wanted" in found["train/one_frame"]


def test_file_that_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    root = write_pouring(tmp_path / "release")
    (root / "pouring_train-0-of-2.tfrecord").unlink()
    (root / "pouring_train-0-of-2.tfrecord").mkdir()
    release = pouring(PouringConfig(root=root, frames=FRAMES), tmp_path)
    assert release[0].ids == ["train/c", "validation/d"]
    assert "cannot be read: Is a directory" in reasons(release)["pouring_train-0-of-2"]


def test_a_broken_link_among_the_files_of_pouring_is_left_out(tmp_path: Path) -> None:
    root = write_pouring(tmp_path / "release")
    _break(root / "pouring_train-0-of-2.tfrecord")
    release = pouring(PouringConfig(root=root, frames=FRAMES), tmp_path)
    assert release[0].ids == ["train/c", "validation/d"]
    assert "cannot be read" in reasons(release)["pouring_train-0-of-2"]


def test_a_broken_link_among_the_frames_of_penn_action_ends_its_video_alone(tmp_path: Path) -> None:
    root = tmp_path / "release"
    write_penn_video(root, 1, "bowl", 4, [0, 1, 2, 2])
    write_penn_video(root, 2, "squat", 4, [0, 1, 2, 3])
    _break(root / "frames/0001/000001.jpg")
    release = penn_action(PennActionConfig(root=root, frames=FRAMES), tmp_path)
    assert release[0].ids == ["train/0002_squat"]
    assert set(reasons(release)) == {"train/0001_bowl"}


def test_a_broken_link_among_the_videos_of_finegym_is_left_out(tmp_path: Path) -> None:
    root = write_finegym(tmp_path / "release")
    _break(root / "videos/vidB.mkv")
    config = FineGymConfig(root=root, frames=FRAMES, event_width=96, event_height=64)
    release = finegym(config, tmp_path)
    assert release[0].ids == ["train/vid-A_1_E_000001_000002", "validation/vid-A_1_E_000002_000003"]
    assert "vidB.mkv" in reasons(release)["train/vidB_E_000000_000002"]


def _break(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.with_name("nowhere"))


def test_pouring_without_labels_is_prepared_for_training(tmp_path: Path) -> None:
    payloads = [pouring_payload(name, 5, []) for name in "ab"]
    path = write_tfrecords(tmp_path / "release/pouring_train-0-of-1.tfrecord", payloads)
    config = PouringConfig(root=path.parent, frames=FRAMES)
    release = pouring(config, tmp_path)
    assert release[0].ids == ["train/a", "train/b"]
    assert release[0].table["labelled_frames"].tolist() == [0, 0]
    assert release[0].of("train/a").tolist() == [-1] * 5
    assert release[1].empty
    assert read_barcodes(stored(release, config, tmp_path).frames("train/b")) == list(range(5))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (
            b"version https://git-lfs.github.com/spec/v1\nsize 9\n",
            "it is a Git-LFS pointer to a file of 9 bytes",
        ),
        (b"<!DOCTYPE html><html>Quota exceeded</html>", "it is a web page"),
    ],
)
def test_a_file_of_pouring_that_was_not_downloaded(tmp_path: Path, content: bytes, reason: str) -> None:
    root = write_pouring(tmp_path / "release")
    (root / "pouring_train-0-of-2.tfrecord").write_bytes(content)
    release = pouring(PouringConfig(root=root, frames=FRAMES), tmp_path)
    assert release[0].ids == ["train/c", "validation/d"]
    assert reason in reasons(release)["pouring_train-0-of-2"]


def test_converted_pouring_with_missing_files(tmp_path: Path) -> None:
    root = tmp_path / "release"
    write_video(root / "videos/a.mp4", 4)
    write_video(root / "videos/b.mp4", 4)
    entries = [index_entry(name, np.array([0, 1, 2, 4])) for name in ("a", "gone")]
    write_index(root / "train.pkl", entries)
    write_index(root / "val.pkl", [index_entry("b", np.arange(5))])
    release = pouring(PouringConfig(root=root, index=True, frames=FRAMES), tmp_path)
    assert release[0].ids == ["train/a"]
    assert "no such file" in reasons(release)["train/gone"]
    assert "has 4 frames but 5 labels" in reasons(release)["validation/b"]


def test_penn_action_in_one_pass(tmp_path: Path) -> None:
    root = tmp_path / "release"
    write_penn_video(root, 1, "bowl", 6, [0, 1, 2, 2])
    write_penn_video(root, 2, "squat", 4, [0, 1, 2, 3], "val")
    write_penn_video(root, 3, "jump_rope", 4, [0, 0, 0, 0])
    write_penn_video(root, 4, "bowl", 1, [0])
    config = PennActionConfig(root=root, frames=FRAMES)
    release = penn_action(config, tmp_path)
    assert release[0].ids == ["train/0001_bowl", "validation/0002_squat"]
    assert release[0].table["action_label"].tolist() == [3, 10]
    assert set(reasons(release)) == {"train/0003", "train/0004_bowl"}
    store = stored(release, config, tmp_path)
    assert read_barcodes(store.frames("train/0001_bowl")) == [0, 1, 3, 4]
    assert release[0].of("train/0001_bowl").tolist() == [0, 1, 2, 2]


def test_finegym_from_raw_videos(tmp_path: Path) -> None:
    config = FineGymConfig(
        root=write_finegym(tmp_path / "release"),
        frames=FRAMES,
        additional=True,
        event_width=96,
        event_height=64,
    )
    release = finegym(config, tmp_path)
    assert release[0].ids == [
        "train/vid-A_1_E_000001_000002",
        "train/vidB_E_000000_000002",
        "validation/vid-A_1_E_000002_000003",
        "additional/vid-A_1_E_009000_009010",
    ]
    assert release[0].table["labelled_frames"].tolist() == [6 + 10, 11, 13, 0]
    store = stored(release, config, tmp_path)
    first = read_barcodes(store.frames("train/vid-A_1_E_000001_000002"))
    assert (first[0], len(first)) == (30, 25)
    other = config.model_copy(update={"classes": 288})
    again = long_videos_nodes.cut_finegym_events(other, SERIAL)
    assert [item.digest for item in again.items] == [
        item.digest for item in long_videos_nodes.cut_finegym_events(config, SERIAL).items
    ]
    labelled = finegym(other, tmp_path)[0]
    assert labelled.of("train/vidB_E_000000_000002").max() == 287


def test_missing_and_short_raw_videos_are_listed(tmp_path: Path) -> None:
    root = write_finegym(tmp_path / "release")
    (root / "videos/vidB.mkv").unlink()
    write_video(root / "videos/vid-A_1.mp4", 45, rate=30)
    release = finegym(FineGymConfig(root=root, frames=FRAMES, event_width=96, event_height=64), tmp_path)
    assert release[0].ids == ["train/vid-A_1_E_000001_000002"]
    found = reasons(release)
    assert "the video vidB is missing" in found["train/vidB_E_000000_000002"]
    assert "ends before 2.0 s" in found["validation/vid-A_1_E_000002_000003"]


def test_sample_world_stands_in(tmp_path: Path) -> None:
    config = FineGymConfig(world=WORLD, world_validation=0.5, frames=FRAMES)
    release = finegym(config, tmp_path)
    assert release[0].ids == [
        "train/pour_000",
        "train/wave_000",
        "validation/pour_001",
        "validation/wave_001",
    ]
    assert set(release[0].table["classes"]) == {8}
    assert release[0].of("train/wave_000").min() == 5
    store = stored(release, config, tmp_path)
    assert {video: store.length(video) for video in store.ids} == {
        video: len(release[0].of(video)) for video in release[0].ids
    }
    phases = pouring(PouringConfig(world=WORLD, frames=FRAMES), tmp_path / "phases")[0]
    assert phases.table["classes"].tolist() == [5, 3, 5, 3]


def test_nothing_usable_is_an_error(tmp_path: Path) -> None:
    path = write_tfrecords(tmp_path / "release/pouring_train-0-of-1.tfrecord", [pouring_payload("a", 1, [0])])
    config = PouringConfig(root=path.parent, frames=FRAMES)
    labelled, _, prepared = pouring(config, tmp_path)
    with pytest.raises(InputError, match="None of 1 videos"):
        long_videos_nodes.assemble_long_videos(prepared, labelled, config, SERIAL)


def test_pipelines_end_in_frames_and_labels() -> None:
    pipelines = [create_pouring_pipeline(), create_penn_action_pipeline(), create_finegym_pipeline()]
    together = sum(pipelines, Pipeline([]))
    assert all(name.startswith("params:") for name in together.inputs())
    names = ("pouring", "penn_action", "finegym")
    ends = {f"{name}{end}" for name in names for end in ("_video_frames", ".left_out_videos")}
    assert together.outputs() == ends


def test_finegym_1_1_with_doubled_suffixes(tmp_path: Path) -> None:
    old, new = write_finegym(tmp_path / "old"), write_finegym(tmp_path / "new")
    for name in ("finegym_annotation_info_v1.{}.json", "gym99_train_element_v1.{}.txt"):
        (new / name.format(0)).rename(new / name.format(1))
    (new / "videos/vid-A_1.mp4").rename(new / "videos/vid-A_1.mp4.webm")
    (new / "videos/vidB.mkv").rename(new / "videos/vidB.mp4.MKV")
    found = [finegym(FineGymConfig(root=root, frames=FRAMES), root / "work")[0] for root in (old, new)]
    assert len(found[0]) == 3
    assert found[0].digest == found[1].digest
