"""Videos and tables of Kinetics through ingest, resizing and the label filter."""

import re
import unicodedata
from pathlib import Path
from typing import Any

import pandas as pd

from tests.cases.inputs import make, numbers
from tests.helpers.project import TINY, load, merged, run_pipeline
from vidrep_pipelines.data.video.decode import count_frames, read_frames

_CLIPS = "03_primary/resized_videos"


def prepare(root: Path, data: Path, **parameters: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Runs ``prepare_clips`` on a folder; the kept and the dropped clips by id."""
    own = {"ingest": {"root": str(root)}, "fanout": {"engine": "serial"}}
    ends = ["label_filter.filter_clips"]
    run_pipeline("prepare_clips", data, merged(TINY, own, parameters), to_nodes=ends)
    kept = pd.read_parquet(data / "05_model_input/clip_table.parquet")
    dropped = pd.read_parquet(data / "08_reporting/label_filter/dropped_clips.parquet")
    return kept.set_index("id"), dropped.set_index("id")


def shown(data: Path, clip: str) -> list[int]:
    """The numbers of the frames of a resized clip, in the order in which it shows them."""
    path = data / _CLIPS / f"{clip}.mp4"
    return numbers(read_frames(path, range(count_frames(path))))


def avi_without_pts(root: Path, work: Path) -> None:
    """Frames that are stored out of order come out in order, and all of them."""
    make("avi_without_pts", root)
    kept, dropped = prepare(root, work)
    assert dropped.empty
    for clip, frames in (("h264_bframes", 60), ("xvid_like", 60), ("last_is_key", 61)):
        assert kept.loc[f"a/{clip}", "frames"] == frames
        assert shown(work, f"a/{clip}") == list(range(frames))


def cover_first(root: Path, work: Path) -> None:
    """A picture before the film, marked as a cover or not, is not the film."""
    make("cover_first", root)
    kept, dropped = prepare(root, work)
    assert dropped.empty
    assert len(kept) == len(list((root / "a").iterdir()))
    for clip in kept.index:
        assert (kept.loc[clip, "width"], kept.loc[clip, "height"]) == (96, 64)
        assert shown(work, str(clip)) == list(range(40))


def size_changes(root: Path, work: Path) -> None:
    """Frames of other sizes are resized like others; one of another shape, or another recording, is told."""
    make("size_changes", root)
    kept, dropped = prepare(root, work)
    assert dropped.empty
    assert sorted(kept.index) == ["a/joined.mkv", "a/joined.ts", "a/webrtc"]
    outcome = load("resized_videos", work).table.set_index("id")
    for clip in kept.index:
        found = shown(work, str(clip))
        assert found == list(range(len(found))), clip
        whole = outcome.loc[clip, "verdict"] == "healthy"
        assert whole == (len(found) == 60), clip
        assert whole or re.search("another (size|shape)", outcome.loc[clip, "verdict_detail"]), clip


def pixel_formats(root: Path, work: Path) -> None:
    """Unusual but legal pixel formats are read like others."""
    made = sorted((make("pixel_formats", root) / "a").iterdir())
    suffixes = sorted({path.suffix for path in made} | {".mp4"})
    kept, dropped = prepare(root, work, ingest={"suffixes": suffixes})
    assert dropped.empty
    assert len(kept) == len(made) >= 20
    for clip in kept.index:
        assert shown(work, str(clip)) == list(range(24)), clip


def nfd_class(root: Path, work: Path) -> None:
    """A name in Unicode's two forms is one class; a folder without videos is none."""
    kept, dropped = prepare(make("nfd_class", root), work)
    assert dropped.empty
    composed = unicodedata.normalize("NFC", "Übung")
    assert kept["class_name"].value_counts().to_dict() == {composed: 2, "other": 1}


def kinetics_archives(root: Path, work: Path) -> None:
    """Archives that were packed on a Mac give the clips of their classes, and nothing else."""
    make("kinetics_archives", root)
    kinetics = {"archives": str(root), "annotations": str(root / "val.csv"), "clips": str(work / "clips")}
    run_pipeline("ingest_kinetics", work, merged(TINY, {"kinetics": kinetics}))
    index = pd.read_parquet(work / "02_intermediate/video_index.parquet")
    assert index["class_name"].value_counts().to_dict() == {
        "acting_in_play": 2,
        "mountain_climber_(exercise)": 2,
    }
    assert not list((work / "clips").rglob("._*"))


def kinetics_csv(root: Path, work: Path) -> None:
    """Tables as they circulate: what can be read is, and one bad line costs its own clip only."""
    make("kinetics_csv", root)
    weaving, spinning, cutting, kicking = (
        ("dMzycn1d3qU_000001_000011", "weaving_fabric"),
        ("dMzycn1d3qU_000000_000010", "yarn_spinning"),
        ("c9ZWYpxefXQ_000064_000074", "cutting_apple"),
        ("SN5awGHfw9M_000036_000046", "kicking_soccer_ball"),
    )
    expected = {
        "two_times.csv": [weaving, spinning, cutting, kicking],
        "two_labels.csv": [weaving, spinning, cutting, kicking],  # the first label counts
        "decimals.csv": [weaving, spinning, kicking],  # 64.2 s is in no name of a clip
        "k600.txt": [weaving, cutting],
        "activitynet.json": [weaving],
    }
    for table, clips in expected.items():
        assert _classes(root, table, work / table) == dict(clips), table
    for table, line in (("two_labels.csv", 5), ("decimals.csv", 4)):
        unknown = pd.read_parquet(work / table / "02_intermediate/unknown_clips.parquet").set_index("id")
        assert f"line {line}" in unknown.loc[f"{table}, line {line}", "reason"]
    assert set(_classes(root, "test.csv", work / "test").values()) == {""}
    slashes = _classes(root, "slash.csv", work / "slash")
    assert len(slashes) == 4
    assert not any(name.startswith((".", "/")) or "/" in name for name in slashes.values())
    assert not (work / "up").exists()


def _classes(root: Path, table: str, work: Path) -> dict[str, str]:
    """The class of every clip that a table gives one, by the name of the clip."""
    ingest = {"root": str(root / "videos"), "annotations": str(root / "tables" / table)}
    run_pipeline("ingest", work, merged(TINY, {"ingest": ingest}))
    index = pd.read_parquet(work / "02_intermediate/video_index.parquet")
    return {Path(path).stem: name for path, name in zip(index["path"], index["class_name"], strict=True)}
