import json
import logging
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.clips.class_list import LabelledClip, read_label_list, write_label_list
from vidrep_pipelines.data.clips.config import LabelFilterConfig
from vidrep_pipelines.data.clips.filtering import CLIP_COLUMNS, filter_clips
from vidrep_pipelines.data.clips.index import RESIZED_COLUMNS
from vidrep_pipelines.data.tables.partitioned_table import write_table
from vidrep_pipelines.data.tables.table import Rows

HEALTHY = {
    "status": "ok",
    "digest": "0",
    "source_width": 640,
    "source_height": 360,
    "width": 226,
    "height": 128,
    "frames": 100,
    "frames_per_second": 25.0,
    "duration_seconds": 4.0,
    "verdict": "healthy",
}
FAILED = {"status": "failed", "error": "/v/x.avi: too odd", "reason": "too odd"}


def video(name: str, **facts: Any) -> dict[str, Any]:
    """One row of the resized index; failed when a status says so."""
    row = facts if "status" in facts else {**HEALTHY, **facts}
    class_name = name.split("/", maxsplit=1)[0] if "/" in name else ""
    return {"id": name, "class_name": class_name, "source_path": f"/v/{name}.avi", "source_bytes": 1, **row}


def resized_index(*videos: dict[str, Any]) -> pd.DataFrame:
    return pd.DataFrame(videos, columns=list(RESIZED_COLUMNS)).astype(RESIZED_COLUMNS)


@dataclass(frozen=True)
class Filtered:
    clips: pd.DataFrame
    dropped: pd.DataFrame
    report: dict[str, Any]


def filtered(
    index: Rows, config: LabelFilterConfig, label_list: list[LabelledClip] | None = None
) -> Filtered:
    """The outcome of the filter in memory."""
    result = filter_clips(index, config, label_list)
    return Filtered(result.clips.to_pandas(), result.dropped.to_pandas(), dict(result.report))


GOOD = video("good/clip")


def reason_of(
    clip: dict[str, Any], config: LabelFilterConfig, label_list: list[LabelledClip] | None = None
) -> str | None:
    """The reason why a clip is dropped beside one that is kept; None if it is kept, too."""
    result = filtered(resized_index(clip, GOOD), config, label_list)
    assert GOOD["id"] in set(result.clips["id"])
    reasons = dict(zip(result.dropped["id"], result.dropped["reason"], strict=True))
    assert (clip["id"] in reasons) != (clip["id"] in set(result.clips["id"]))
    return reasons.get(clip["id"])


@pytest.mark.parametrize(
    ("facts", "rules", "reason"),
    [
        (FAILED, {}, "too odd"),
        ({"status": "missing"}, {}, "not resized"),
        ({"frames": 1}, {}, "fewer than 2 frames"),
        ({"frames": 2}, {}, None),
        ({"frames": 49}, {"min_frames": 50}, "fewer than 50 frames"),
        ({"frames": 50}, {"min_frames": 50}, None),
        ({"source_height": 359}, {"min_short_side": 360}, "short side under 360 pixels"),
        ({"source_width": 359}, {"min_short_side": 360}, "short side under 360 pixels"),
        ({}, {"min_short_side": 360}, None),
        ({"verdict": "truncated"}, {}, None),
        ({"verdict": "truncated"}, {"drop_truncated": True}, "truncated"),
        ({}, {"drop_truncated": True}, None),
        ({}, {"include_classes": ("good",)}, "class not included"),
        ({}, {"include_classes": ("good", "pour")}, None),
        ({}, {"exclude_classes": ("pour",)}, "class excluded"),
        ({}, {"exclude_classes": ("pou", "pouring")}, None),
    ],
)
def test_each_rule(facts: dict[str, Any], rules: dict[str, Any], reason: str | None) -> None:
    assert reason_of(video("pour/x", **facts), LabelFilterConfig(**rules)) == reason


def test_the_first_broken_rule_is_the_reason() -> None:
    """Mends a clip that breaks every rule, one rule after the other."""
    config = LabelFilterConfig(
        min_frames=5,
        min_short_side=100,
        drop_truncated=True,
        include_classes=("good", "pour"),
        exclude_classes=("pour", "wave"),
    )
    named = [LabelledClip(0, "train2/good/clip.mp4")]
    bad = video("wave/x", frames=4, source_width=99, verdict="truncated")
    steps = [
        (bad | FAILED, "too odd"),
        (bad, "fewer than 5 frames"),
        (bad | {"frames": 5}, "short side under 100 pixels"),
        (bad | {"frames": 5, "source_width": 100}, "truncated"),
        (video("wave/x"), "class not included"),
        (video("pour/x"), "class excluded"),
        (video("good/x"), "not in the label list"),
    ]
    assert [reason_of(clip, config, named) for clip, _ in steps] == [reason for _, reason in steps]
    assert reason_of(video("good/x"), config) is None


def test_clip_table_is_typed_sorted_and_numbered_by_class_name() -> None:
    names = ["pour/b", "Wave/a", "pour/a", "drop/z", "ünder/a"]
    clips = filtered(resized_index(*map(video, names)), LabelFilterConfig()).clips
    assert {name: str(kind) for name, kind in clips.dtypes.items()} == CLIP_COLUMNS
    assert clips["id"].tolist() == ["Wave/a", "drop/z", "pour/a", "pour/b", "ünder/a"]
    assert clips["path"].tolist() == [f"{name}.mp4" for name in clips["id"]]
    assert clips["class_id"].tolist() == [0, 1, 2, 2, 3]
    assert clips.index.tolist() == list(range(5))
    numbers = clips[["class_id", "frames", "width", "height"]].dtypes.astype(str).tolist()
    assert numbers == ["int32", "int64", "int32", "int32"]


def test_clips_that_are_not_used_are_named_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    short = [video(f"drop/{number}", frames=1) for number in range(5)]
    index = resized_index(*short, video("drop/x", **FAILED), video("pour/a", verdict="truncated"))
    with caplog.at_level(logging.WARNING, "vidrep_pipelines"):
        filter_clips(index, LabelFilterConfig())
    dropped, truncated = (record.getMessage() for record in caplog.records)
    named = ", ".join(f"drop/{number} (fewer than 2 frames)" for number in range(3))
    assert dropped == (
        f"label_filter dropped 6 of 7 videos: {named}, and 3 more. All are in dropped_clips.parquet"
    )
    assert "kept 1 that break off, up to there: pour/a. See verdict" in truncated


def test_nothing_is_said_where_every_clip_is_used(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "vidrep_pipelines"):
        filter_clips(resized_index(video("pour/a")), LabelFilterConfig())
    assert caplog.records == []


def test_report_counts() -> None:
    index = resized_index(
        video("pour/a", frames=10),
        video("pour/b", frames=30, verdict="truncated"),
        video("drop/a", frames=11),
        video("drop/b", frames=1),
        video("drop/c", frames=1),
        video("drop/d", **FAILED),
    )
    result = filtered(index, LabelFilterConfig())
    assert json.loads(json.dumps(result.report)) == {
        "listed": 6,
        "kept": 3,
        "dropped": 3,
        "truncated_but_kept": 1,
        "reasons": {"fewer than 2 frames": 2, "too odd": 1},
        "classes": {"drop": 1, "pour": 2},
        "frames": {"total": 51, "median": 11.0, "min": 10, "max": 30},
    }
    assert list(result.dropped.columns) == ["id", "class_name", "source_path", "reason"]
    assert result.dropped["id"].tolist() == ["drop/b", "drop/c", "drop/d"]


@pytest.mark.parametrize(
    "index",
    [
        resized_index(video("pour/a", frames=1), video("pour/b", frames=1)),
        resized_index(video("pour/a", **FAILED), video("pour/b", status="missing")),
        resized_index(),
    ],
)
def test_nothing_left_is_an_error_that_counts_the_reasons(index: pd.DataFrame) -> None:
    with pytest.raises(InputError, match=f"label_filter kept none of {len(index)} videos") as caught:
        filter_clips(index, LabelFilterConfig())
    for reason, count in index["reason"].value_counts().items():
        assert f"'{reason}': {count}" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "entry", "kept"),
    [
        ("pour/x", "train2/pour/x.mp4", True),
        ("pour/x", "pour/x.avi", True),
        ("pour/x", "deep/in/train2/pour/x.webm", True),
        ("pour/x.1", "train2/pour/x.1.mp4", True),
        ("pour/x", "train2/pour/y.mp4", False),
        ("pour/x", "train2/wave/x.mp4", False),
        ("pour/2020/x", "train2/pour/x.mp4", True),
        ("pour/2020/x", "resized_videos/pour/2020/x.mp4", True),
        ("pour/2020/x", "resized_videos/pour/2021/x.mp4", False),
        ("x", "resized_videos/x.mp4", True),
        ("x", "train2/pour/x.mp4", False),
    ],
)
def test_label_list_is_matched_by_class_and_clip_or_by_the_path(name: str, entry: str, kept: bool) -> None:
    named = [LabelledClip(3, entry), LabelledClip(0, "train2/good/clip.mp4")]
    reason = reason_of(video(name), LabelFilterConfig(), named)
    assert reason == (None if kept else "not in the label list")


def test_flat_clips_with_annotated_classes_match_the_official_list() -> None:
    clip = video("abcdefghijk_000010_000020") | {"class_name": "playing_harp"}
    named = [
        LabelledClip(9, "train2/playing_harp/abcdefghijk_000010_000020.mp4"),
        LabelledClip(0, "good/clip"),
    ]
    assert reason_of(clip, LabelFilterConfig(), named) is None


@pytest.mark.parametrize("names", [["pour/a", "wave/a"], ["a", "b.c"], ["pour/2020/a", "pour/2021/a"]])
def test_a_list_that_was_written_here_selects_the_same_clips_again(names: list[str], tmp_path: Path) -> None:
    first = filtered(resized_index(*map(video, names)), LabelFilterConfig()).clips
    paths = "resized_videos/" + first["path"]
    rows = list(zip(first["class_id"].tolist(), paths.tolist(), strict=True))
    named = read_label_list(write_label_list(rows, tmp_path / "list.pickle"))
    grown = resized_index(*map(video, [*names, "new", "pour/new", "pour/2022/new"]))
    again = filtered(grown, LabelFilterConfig(), named)
    assert again.clips["id"].tolist() == sorted(names)
    assert set(again.dropped["reason"]) == {"not in the label list"}


@st.composite
def indices(draw: st.DrawFn) -> pd.DataFrame:
    names = draw(st.lists(st.sampled_from("abcdefghijkl"), unique=True, max_size=12))
    videos = []
    for name in names:
        clip = f"{draw(st.sampled_from(['pour', 'wave', 'Drop']))}/{name}"
        facts = {
            "frames": draw(st.integers(1, 6)),
            "source_width": draw(st.integers(1, 4)),
            "source_height": draw(st.integers(1, 4)),
            "verdict": draw(st.sampled_from(["healthy", "truncated"])),
        }
        outcomes: list[dict[str, Any]] = [facts, facts, FAILED, {"status": "missing"}]
        videos.append(video(clip, **draw(st.sampled_from(outcomes))))
    return resized_index(*videos)


classes = st.sets(st.sampled_from(["pour", "wave", "Drop"]), max_size=2).map(tuple)
configs = st.builds(
    LabelFilterConfig,
    min_frames=st.integers(1, 4),
    min_short_side=st.integers(1, 3),
    drop_truncated=st.booleans(),
    include_classes=classes,
    exclude_classes=classes,
    label_list=st.none(),
)


def is_good(row: Any, config: LabelFilterConfig) -> bool:
    """The rules once more, for a single clip."""
    return (
        row.status == "ok"
        and row.frames >= config.min_frames
        and min(row.source_width, row.source_height) >= config.min_short_side
        and not (config.drop_truncated and row.verdict == "truncated")
        and (not config.include_classes or row.class_name in config.include_classes)
        and row.class_name not in config.exclude_classes
    )


@given(indices(), configs)
def test_every_video_is_either_kept_or_dropped_with_a_reason(
    index: pd.DataFrame, config: LabelFilterConfig
) -> None:
    good = sorted(str(row.id) for row in index.itertuples() if is_good(row, config))
    if not good:
        with pytest.raises(InputError):
            filter_clips(index, config)
        return
    result = filtered(index, config)
    assert result.clips["id"].tolist() == good
    assert sorted([*result.clips["id"], *result.dropped["id"]]) == sorted(index["id"])
    assert result.dropped["reason"].notna().all()
    report = result.report
    assert sum(report["classes"].values()) == report["kept"] == len(good)
    assert sum(report["reasons"].values()) == report["dropped"] == len(index) - len(good)
    assert sorted(set(result.clips["class_id"])) == list(range(len(set(result.clips["class_name"]))))
    shuffled = filtered(index.sample(frac=1, random_state=1), config)
    pd.testing.assert_frame_equal(shuffled.clips, result.clips)
    pd.testing.assert_frame_equal(shuffled.dropped, result.dropped)


def test_a_table_on_disk_gives_the_same_as_a_data_frame(tmp_path: Path) -> None:
    config = LabelFilterConfig(min_frames=3)
    rows = [video(f"{name}/{number:02}", frames=number % 7) for name in "abc" for number in range(30)]
    index = resized_index(*rows)
    table = write_table(index, tmp_path / "index", rows_per_part=40)
    assert len(table.parts) == 3
    in_memory, on_disk = filtered(index, config), filtered(table, config)
    pd.testing.assert_frame_equal(in_memory.clips, on_disk.clips)
    pd.testing.assert_frame_equal(in_memory.dropped, on_disk.dropped)
    assert in_memory.report == on_disk.report


def test_an_index_on_disk_that_is_out_of_order_is_refused(tmp_path: Path) -> None:
    table = write_table(resized_index(video("b/x"), video("a/x")), tmp_path / "index")
    with pytest.raises(InputError, match=r"resized index: the id 'a/x' comes twice or out of order"):
        filter_clips(table, LabelFilterConfig())


def test_classes_that_no_video_has_are_named(caplog: pytest.LogCaptureFixture) -> None:
    """Also of videos that are dropped by another rule; the misspelled class is not excluded."""
    index = resized_index(video("pour/x"), video("wave/y", frames=1))
    config = LabelFilterConfig(exclude_classes=("puor", "wave"), include_classes=("pour", "wave"))
    with caplog.at_level(logging.WARNING, "vidrep_pipelines"):
        assert filter_clips(index, config).report["kept"] == 1
    messages = [record.getMessage() for record in caplog.records]
    assert [message for message in messages if "dropped" not in message] == [
        "label_filter.exclude_classes: nothing here is called 'puor'. Did you mean 'pour'?"
    ]


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_classes_are_named_in_either_spelling_of_their_letters(form: str) -> None:
    class_name = unicodedata.normalize("NFD" if form == "NFC" else "NFC", "Übung")
    spelled = unicodedata.normalize(form, "Übung")
    index = resized_index(video("other/a"), video(f"{class_name}/b"))
    kept = filtered(index, LabelFilterConfig(include_classes=(spelled,))).clips
    assert kept["id"].tolist() == [f"{class_name}/b"]
    kept = filtered(index, LabelFilterConfig(exclude_classes=(spelled,))).clips
    assert kept["id"].tolist() == ["other/a"]
    listed = [LabelledClip(0, f"clips/{spelled}/b.mp4")]
    assert filtered(index, LabelFilterConfig(), listed).clips["id"].tolist() == [f"{class_name}/b"]
