"""Kinetics from its archives to the video index, in the published layout."""

import tarfile
from pathlib import Path

import pandas as pd
import pytest

from tests.helpers import videos
from tests.helpers.project import TINY, merged, run_pipeline
from vidrep_pipelines.data.tables.partitioned_table import PartitionedTable

ROWS = {"playing harp": "aaaaaaaaaaa", "sky diving": "bbbbbbbbbbb", "clay pottery making": "ccccccccccc"}
REPLACEMENT = "replacement_for_corrupted_k400"


def pack(archive: Path, folder: str, *names: str) -> None:
    """An archive of tiny clips; different archives hold different clips, also under the same name."""
    made = [videos.write_video(archive.parent / "made" / name, 12, seed=len(archive.name)) for name in names]
    with tarfile.open(archive, "w:gz") as tar:
        for path in made:
            tar.add(path, f"{folder}/{path.name}")


@pytest.fixture
def downloaded(tmp_path: Path) -> Path:
    """Two archives and their list, one archive that is cut off, and the substitute of a clip."""
    folder = tmp_path / "downloaded"
    folder.mkdir()
    pack(folder / "part_0.tar.gz", ".", "aaaaaaaaaaa_000001_000011.mp4", "bbbbbbbbbbb_000002_000012.mp4")
    pack(folder / "part_1.tar.gz", ".", "ccccccccccc_000003_000013.mp4", "ddddddddddd_000004_000014.mp4")
    pack(folder / "part_2.tar.gz", ".", "eeeeeeeeeee_000004_000014.mp4")
    videos.truncate(folder / "part_2.tar.gz", 0.5)
    pack(folder / f"{REPLACEMENT}.tgz", REPLACEMENT, "bbbbbbbbbbb_000002_000012.mp4")
    names = ["part_0.tar.gz", "part_1.tar.gz", "part_2.tar.gz", f"{REPLACEMENT}.tgz"]
    lines = [f"https://host/400/train/{name}" for name in names]
    (folder / "k400_train_path.txt").write_text("\n".join(lines) + "\n")
    rows = [f"{label},{name},{n},{n + 10},train,0" for n, (label, name) in enumerate(ROWS.items(), 1)]
    (folder / "train.csv").write_text("\n".join(["label,youtube_id,time_start,time_end,split,is_cc", *rows]))
    return folder


def ingest(downloaded: Path, data: Path) -> None:
    settings = {
        "archives": str(downloaded / "k400_train_path.txt"),
        "annotations": str(downloaded / "train.csv"),
    }
    run_pipeline("ingest_kinetics", data, merged(TINY, {"kinetics": settings, "fanout": {"workers": 1}}))


def test_archives_become_an_index_with_classes(downloaded: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    ingest(downloaded, data)
    clips = data / "01_raw" / "kinetics"
    index = PartitionedTable(data / "02_intermediate" / "video_index.parquet").to_pandas()
    assert dict(zip(index["id"], index["path"], strict=True)) == {
        "clay_pottery_making/ccccccccccc_000003_000013": f"{clips}/part_1/ccccccccccc_000003_000013.mp4",
        "playing_harp/aaaaaaaaaaa_000001_000011": f"{clips}/part_0/aaaaaaaaaaa_000001_000011.mp4",
        "sky_diving/bbbbbbbbbbb_000002_000012": f"{clips}/{REPLACEMENT}/bbbbbbbbbbb_000002_000012.mp4",
    }
    assert index["class_name"].tolist() == ["clay_pottery_making", "playing_harp", "sky_diving"]
    assert (index["frames"] == 12).all()
    unknown = pd.read_parquet(data / "02_intermediate" / "unknown_clips.parquet")
    assert unknown["path"].tolist() == [
        "part_0/bbbbbbbbbbb_000002_000012.mp4",
        "part_1/ddddddddddd_000004_000014.mp4",
    ]
    assert unknown["reason"].str.split(" ").str[0].tolist() == ["replaced", "not"]


def test_a_second_run_unpacks_only_what_is_new(downloaded: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    ingest(downloaded, data)
    clip = data / "01_raw/kinetics/part_0/aaaaaaaaaaa_000001_000011.mp4"
    before = clip.stat().st_ino
    (downloaded / "train.csv").open("a").write("\nunboxing,eeeeeeeeeee,4,14,train,0\n")
    pack(downloaded / "part_2.tar.gz", ".", "eeeeeeeeeee_000004_000014.mp4")
    ingest(downloaded, data)
    index = PartitionedTable(data / "02_intermediate" / "video_index.parquet")
    assert index["class_name"].tolist() == ["clay_pottery_making", "playing_harp", "sky_diving", "unboxing"]
    assert clip.stat().st_ino == before
