from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.clips.config import LabelFilterConfig
from vidrep_pipelines.data.clips.filtering import filter_clips
from vidrep_pipelines.data.clips.index import (
    INDEX_COLUMNS,
    RESIZED_COLUMNS,
    build_resized_index,
    build_video_index,
)
from vidrep_pipelines.data.video.probe import VideoFacts
from vidrep_pipelines.fanout.manifest import rows_to_table
from vidrep_pipelines.fanout.parts import table_to_frame

PROBED = asdict(VideoFacts(640, 360, 300, 29.97, 10.01, "h264", 90, True, "yuv420p"))
RESIZED = {
    "source_width": 640,
    "source_height": 360,
    "source_frames": 300,
    "source_codec": "h264",
    "rotation": 90,
    "has_audio": True,
    "width": 454,
    "height": 256,
    "frames": 299,
    "frames_per_second": 29.97,
    "duration_seconds": 10.01,
    "keyframe_interval": 12,
    "verdict": "healthy",
    "verdict_detail": "",
}
MOOV = "its index (moov) is missing. Replace the file."


def manifest(*outcomes: tuple[str, Mapping[str, Any] | str]) -> pd.DataFrame:
    """The manifest of a job as later stages get it: facts for what went well, an error for what failed."""
    rows = [
        {
            "id": name,
            "status": "failed" if isinstance(outcome, str) else "ok",
            "error": outcome if isinstance(outcome, str) else None,
            "seconds": 0.5,
            "bytes": 0 if isinstance(outcome, str) else 777,
            "digest": f"digest of {name}",
            "attempts": 1,
            "facts": {} if isinstance(outcome, str) else dict(outcome),
        }
        for name, outcome in outcomes
    ]
    return table_to_frame(rows_to_table(rows))


def listing(*names: str) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "id": names,
            "class_name": [name.split("/")[0] for name in names],
            "path": [f"/videos/{name}.avi" for name in names],
            "bytes": range(1000, 1000 + len(names)),
            "mtime_ns": 1_700_000_000_123_456_789,
            "etag": "",
        }
    )


def types(table: pd.DataFrame) -> dict[str, str]:
    return {str(name): str(kind) for name, kind in table.dtypes.items()}


def test_index_has_one_typed_row_per_file_sorted_by_id() -> None:
    probes = manifest(("a/1", PROBED), ("a/2", f"/videos/a/2.avi: {MOOV}"), ("b/3", PROBED))
    index = build_video_index(listing("b/3", "a/2", "a/1"), probes).to_pandas()
    assert types(index) == INDEX_COLUMNS
    assert index["id"].tolist() == ["a/1", "a/2", "b/3"]
    good = index.set_index("id").loc["a/1"]
    assert {name: good[name] for name in PROBED} == PROBED
    assert good["mtime_ns"] == 1_700_000_000_123_456_789
    assert pd.isna(good["error"])


def test_size_is_that_of_the_file_and_not_of_the_products() -> None:
    index = build_video_index(listing("a/1", "a/2"), manifest(("a/1", PROBED), ("a/2", PROBED))).to_pandas()
    assert index["bytes"].tolist() == [1000, 1001]


@pytest.mark.parametrize("probes", [manifest(("a/1", "broken"), ("a/2", "broken")), manifest()])
def test_files_that_could_not_be_probed_stay_in_the_index(probes: pd.DataFrame, tmp_path: Path) -> None:
    index = build_video_index(listing("a/1", "a/2"), probes).to_pandas()
    assert types(index) == INDEX_COLUMNS
    assert index[list(PROBED)].isna().all(axis=None)
    assert index["error"].tolist() == (["broken"] * 2 if len(probes) else [pd.NA] * 2)
    index.to_parquet(tmp_path / "index.parquet")
    assert types(pd.read_parquet(tmp_path / "index.parquet")) == INDEX_COLUMNS


def video_index(*names: str) -> pd.DataFrame:
    return build_video_index(listing(*names), manifest(*((name, PROBED) for name in names))).to_pandas()


def test_resized_index_keeps_every_raw_video_with_its_outcome() -> None:
    resized = manifest(("a/1", RESIZED), ("a/2", f"/videos/a/2.avi: {MOOV}"), ("gone", RESIZED))
    index = build_resized_index(video_index("b/3", "a/2", "a/1"), resized).to_pandas()
    assert types(index) == RESIZED_COLUMNS
    assert index["id"].tolist() == ["a/1", "a/2", "b/3"]
    assert index["status"].tolist() == ["ok", "failed", "missing"]
    good = index.set_index("id").loc["a/1"]
    assert {name: good[name] for name in RESIZED} == RESIZED
    assert (good["source_bytes"], good["bytes"]) == (1002, 777)
    assert (good["source_path"], good["digest"]) == ("/videos/a/1.avi", "digest of a/1")
    assert index.set_index("id").loc[["a/2", "b/3"], list(RESIZED)].isna().all(axis=None)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (f"/videos/a/1.avi: {MOOV}", MOOV),
        ("TimeoutError: more than 600 s", "TimeoutError: more than 600 s"),
        ("/videos/a/10.avi: of another file", "/videos/a/10.avi: of another file"),
    ],
)
def test_reasons_leave_out_the_file_name_and_errors_keep_it(error: str, reason: str) -> None:
    index = build_resized_index(
        video_index("a/1", "a/2"), manifest(("a/1", error), ("a/2", RESIZED))
    ).to_pandas()
    assert index["reason"].tolist() == [reason, pd.NA]
    assert index["error"].tolist() == [error, pd.NA]


@pytest.mark.parametrize(
    "resized", [manifest(("a/1", "/videos/a/1.avi: empty"), ("a/2", "/videos/a/2.avi: empty")), manifest()]
)
def test_nothing_resized_gives_the_same_columns_and_a_clear_error(
    resized: pd.DataFrame, tmp_path: Path
) -> None:
    index = build_resized_index(video_index("a/1", "a/2"), resized).to_pandas()
    assert types(index) == RESIZED_COLUMNS
    index.to_parquet(tmp_path / "index.parquet")
    loaded = pd.read_parquet(tmp_path / "index.parquet")
    assert types(loaded) == RESIZED_COLUMNS
    reason = "empty" if len(resized) else "not resized"
    with pytest.raises(InputError, match=rf"none of 2 videos.*{{'{reason}': 2}}.*ingest\.root"):
        filter_clips(loaded, LabelFilterConfig(drop_truncated=True, exclude_classes=("b",)))


def test_a_video_listed_twice_is_refused() -> None:
    index = build_resized_index(video_index("a/1"), manifest(("a/1", RESIZED), ("a/1", RESIZED)))
    with pytest.raises(InputError, match=r"'a/1' comes twice"):
        index.to_pandas()
