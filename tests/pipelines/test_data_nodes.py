"""Nodes of videos_nodes, resize and the label filter: what they hand to the domain packages."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.clips.config import IngestConfig, LabelFilterConfig
from vidrep_pipelines.data.sample_world.config import SampleWorldConfig
from vidrep_pipelines.data.tables.partitioned_table import write_table
from vidrep_pipelines.data.tables.table import Rows
from vidrep_pipelines.data.video.profiles import ResizeConfig
from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.fanout.parts import Parts
from vidrep_pipelines.pipelines.ingest import videos_nodes
from vidrep_pipelines.pipelines.label_filter import clips_nodes as label_filter
from vidrep_pipelines.pipelines.resize import clips_nodes as resize

FANOUT = FanOutConfig(workers=1)
FILES = pd.DataFrame(
    {
        "id": ["pour/a", "pour/b"],
        "class_name": ["pour", "pour"],
        "path": ["/v/pour/a.mp4", "/v/pour/b.avi"],
        "bytes": [10, 20],
        "mtime_ns": [5, 6],
        "etag": ["", ""],
    }
)


def frames(tables: tuple[Rows, Rows]) -> tuple[pd.DataFrame, ...]:
    """The outputs of a node in memory."""
    return tuple(table if isinstance(table, pd.DataFrame) else table.to_pandas() for table in tables)


def test_sample_world_is_rendered_only_without_videos_of_the_user(tmp_path: Path) -> None:
    world = SampleWorldConfig(clips=3)
    job = videos_nodes.render_sample_world(IngestConfig(), world, FANOUT)
    assert len(job.items) == 3
    assert len({item.digest for item in job.items}) == 3
    assert job.suffixes == (".mp4", ".h5")
    assert videos_nodes.render_sample_world(IngestConfig(root=tmp_path), world, FANOUT).items == []


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two files in the manner of Kinetics; nothing opens them here."""
    for name in ("abcdefghijk_000010_000020", "lmnopqrstuv_000030_000040"):
        (tmp_path / f"{name}.mp4").write_bytes(b"x")
    return tmp_path


def test_listed_paths_are_absolute(folder: Path, videos: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent)
    listing, unknown = frames(videos_nodes.list_raw_videos(videos, IngestConfig(root=Path(folder.name))))
    assert listing["path"].tolist() == [str(path) for path in sorted(folder.glob("*.mp4"))]
    assert (list(unknown.columns), len(unknown)) == (["id", "path", "reason"], 0)


def test_sample_world_is_listed_without_videos_of_the_user(folder: Path) -> None:
    listing, _ = frames(videos_nodes.list_raw_videos(Parts(folder, pd.DataFrame(), ()), IngestConfig()))
    assert len(listing) == 2


def test_annotations_give_classes_and_leave_out_the_unknown(folder: Path, videos: Parts) -> None:
    table = folder / "train.csv"
    table.write_text("label,youtube_id,time_start,time_end,split\nplaying harp,abcdefghijk,10,20,train\n")
    config = IngestConfig(root=folder, annotations=table, split="train")
    listing, unknown = frames(videos_nodes.list_raw_videos(videos, config))
    assert listing["class_name"].tolist() == ["playing_harp"]
    assert listing["path"].tolist() == [str(folder / "abcdefghijk_000010_000020.mp4")]
    assert unknown["id"].tolist() == ["lmnopqrstuv_000030_000040"]


def test_probing_is_repeated_for_changed_files_only() -> None:
    digests = [item.digest for item in videos_nodes.probe_videos(FILES, FANOUT).items]
    changed = [
        [item.digest for item in videos_nodes.probe_videos(FILES.assign(**{column: [10, 99]}), FANOUT).items]
        for column in ("bytes", "mtime_ns")
    ]
    moved = [
        item.digest for item in videos_nodes.probe_videos(FILES.assign(path=["/w/1", "/w/2"]), FANOUT).items
    ]
    assert moved == digests
    assert changed[0][0] == digests[0]  # the size of the first file stayed
    assert all(after[1] != digests[1] for after in changed)


def test_the_mark_of_an_object_store_counts_instead_of_the_time() -> None:
    stored = FILES.assign(etag=["e1", "e2"])
    before, later, replaced = (
        [item.digest for item in videos_nodes.probe_videos(table, FANOUT).items]
        for table in (stored, stored.assign(mtime_ns=[7, 8]), stored.assign(etag=["e1", "e3"]))
    )
    assert later == before
    assert [old == new for old, new in zip(before, replaced, strict=True)] == [True, False]


def test_items_of_a_table_on_disk_are_those_of_the_data_frame(tmp_path: Path) -> None:
    table = write_table(FILES, tmp_path / "table")
    in_memory, on_disk = (list(videos_nodes.probe_videos(rows, FANOUT).items) for rows in (FILES, table))
    assert in_memory == on_disk
    assert [item.payload for item in on_disk] == FILES["path"].tolist()


@pytest.mark.parametrize(
    ("config", "same"),
    [
        (ResizeConfig(), True),
        (ResizeConfig(short_side=128), False),
        (ResizeConfig(profile="small"), False),
        (ResizeConfig(min_frames=3), False),
    ],
)
def test_resizing_is_repeated_when_its_parameters_change(config: ResizeConfig, same: bool) -> None:
    before, after = (resize.resize_videos(FILES, each, FANOUT) for each in (ResizeConfig(), config))
    pairs = zip(before.items, after.items, strict=True)
    assert [old.digest == new.digest for old, new in pairs] == [same, same]
    assert after.items[1].payload == ("/v/pour/b.avi", config)
    assert after.suffixes == (".mp4", ".packets")


def test_how_the_work_is_spread_is_no_part_of_its_digest() -> None:
    jobs: list[Any] = [
        resize.resize_videos(FILES, ResizeConfig(), each) for each in (FANOUT, FanOutConfig(engine="serial"))
    ]
    assert [item.digest for item in jobs[0].items] == [item.digest for item in jobs[1].items]


def test_label_list_names_the_data_folder(clips: pd.DataFrame, videos: Parts) -> None:
    assert list(label_filter.list_labels(clips, videos)) == [
        (0, "resized_videos/drop/b.mp4"),
        (1, "resized_videos/pour/a.mp4"),
    ]


def test_label_list_that_does_not_exist_is_named(tmp_path: Path) -> None:
    config = LabelFilterConfig(label_list=tmp_path / "none.pickle")
    with pytest.raises(InputError, match=r"none\.pickle"):
        label_filter.filter_indexed_clips(pd.DataFrame(), config)
