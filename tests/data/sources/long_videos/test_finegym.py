import json
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.long_videos import event, write_annotation, write_finegym
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.sources.long_videos.config import FineGymConfig
from vidrep_pipelines.data.sources.long_videos.finegym import (
    ADDITIONAL,
    ANNOTATIONS,
    Element,
    event_of,
    events_of_splits,
    finegym_videos,
    first_there,
    label_frames,
    lists_of,
    read_annotation,
    read_elements,
    release_events,
)


def test_events_are_sorted_and_only_the_last_stage_counts(tmp_path: Path) -> None:
    root = write_finegym(tmp_path)
    events = read_annotation(root / "finegym_annotation_info_v1.0.json")
    assert list(events) == sorted(events)
    found = events["vidB_E_000000_000002"]
    assert (found.video, found.start, found.end, found.kind) == ("vidB", 0.5, 2.0, 2)
    assert found.segments == (("A_0000_0001", 0.2, 0.6),)
    assert events["vid-A_1_E_009000_009010"].segments == ()


@pytest.mark.parametrize("classes", [99, 288])
def test_splits_of_both_numbers_of_classes(tmp_path: Path, classes: int) -> None:
    root = write_finegym(tmp_path)
    events, lists = read_annotation(root / "finegym_annotation_info_v1.0.json"), lists_of(root, classes)
    chosen, left_out = events_of_splits(events, lists, additional=True)
    assert not left_out
    assert [(split, found.name) for split, found in chosen] == [
        ("train", "vid-A_1_E_000001_000002"),
        ("train", "vidB_E_000000_000002"),
        ("validation", "vid-A_1_E_000002_000003"),
        (ADDITIONAL, "vid-A_1_E_009000_009010"),
    ]
    assert lists["train"]["vidB_E_000000_000002_A_0000_0001"] == classes - 1
    without, _ = events_of_splits(events, lists, additional=False)
    assert without == chosen[:3]
    for additional, expected in ((True, chosen), (False, without)):
        config = FineGymConfig(root=root, classes=classes, additional=additional)
        assert release_events(root, config) == (expected, [])


def test_listed_event_that_is_not_annotated(tmp_path: Path) -> None:
    events = read_annotation(write_annotation(tmp_path, {"v": {"E_1_2": event(1, 2)}}))
    chosen, left_out = events_of_splits(events, {"train": {"w_E_1_2_A_0_1": 3}}, additional=False)
    assert not chosen
    assert left_out[0].id == "train/w_E_1_2"
    assert "annotation does not" in left_out[0].reason


def test_later_elements_win_and_ends_are_included() -> None:
    labels = label_frames((Element(0.0, 0.2, 5), Element(0.16, 9.0, 7)), 25, 8)
    assert labels.tolist() == [5, 5, 5, 5, 7, 7, 7, 7]
    assert label_frames((), 25, 3).tolist() == [-1, -1, -1]
    assert label_frames((Element(0.5, 0.6, 1),), 25, 3).tolist() == [-1, -1, -1]


def test_labels_beyond_the_end_of_an_incomplete_video(tmp_path: Path) -> None:
    root = write_finegym(tmp_path)
    events, lists = read_annotation(root / "finegym_annotation_info_v1.0.json"), lists_of(root, 99)
    chosen, _ = events_of_splits(events, lists, additional=True)
    cuts = {found.name: (tmp_path / "none.mp4", "") for _, found in chosen}
    videos = {video.id: video for video in finegym_videos(chosen, lists, cuts, 99, 25)}
    video = videos["train/vid-A_1_E_000001_000002"]
    assert video.read_labels(12).tolist() == [-1] * 5 + [3] * 6 + [-1]
    with pytest.raises(InputError, match=r"starts at 0\.2 s, but it has only 5 frames"):
        video.read_labels(5)
    additional = videos["additional/vid-A_1_E_009000_009010"]
    assert additional.read_labels(4).tolist() == [-1] * 4


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("v_E_1_2_A_0_1 99", "line 2: there is no class 99 among 99"),
        ("v_E_1_2_A_0_1", "line 2"),
        ("v_E_1_2 3", "line 2"),
        ("v_E_1_2_A_0_1 three", "line 2"),
    ],
)
def test_wrong_lines_are_named(tmp_path: Path, line: str, message: str) -> None:
    (tmp_path / "list.txt").write_text(f"v_E_1_2_A_0_1 98\n{line}\n\n")
    with pytest.raises(InputError, match=message):
        read_elements(tmp_path / "list.txt", 99)


@pytest.mark.parametrize(
    "content", ["{", "[]", "{}", json.dumps({"v": {"E_1_2": {"event": 1}}}), json.dumps({"v": 3})]
)
def test_wrong_annotations_are_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(InputError, match=r"a\.json"):
        read_annotation(tmp_path / "a.json")


@pytest.mark.parametrize(
    "broken",
    [
        event(-0.5, 2.0),
        event(float("nan"), 2.0),
        event(0.5, float("inf")),
        event(0.5, 2.0, 1, A_0_1=[(-0.3, 0.2)]),  # a negative start would label frames at the end
        event(0.5, 2.0, 1, A_0_1=[(0.0, float("nan"))]),
        event(0.5, 2.0) | {"event": 1.5},
        event(0.5, 2.0) | {"timestamps": []},
        {"event": 1},
        3,
    ],
)
def test_an_event_with_impossible_numbers_is_left_out_alone(tmp_path: Path, broken: Any) -> None:
    path = write_annotation(tmp_path, {"v": {"E_1_2": broken, "E_3_4": event(3, 4)}})
    events = read_annotation(path)
    lists = {"train": {"v_E_1_2_A_0_1": 3, "v_E_3_4_A_0_1": 3}}
    chosen, left_out = events_of_splits(events, lists, additional=False)
    assert [found.name for _, found in chosen] == ["v_E_3_4"]
    assert [row.id for row in left_out] == ["train/v_E_1_2"]
    assert "event 'E_1_2' of video 'v' is not described as expected" in left_out[0].reason


def test_version_1_1_under_its_own_names(tmp_path: Path) -> None:
    old, new = write_finegym(tmp_path / "old"), write_finegym(tmp_path / "new")
    for name in ("finegym_annotation_info_v1.{}.json", "gym99_train_element_v1.{}.txt"):
        (new / name.format(0)).rename(new / name.format(1))
    assert lists_of(new, 99) == lists_of(old, 99)
    assert first_there(new, ANNOTATIONS).name == "finegym_annotation_info_v1.1.json"
    assert first_there(old, ANNOTATIONS).name == "finegym_annotation_info_v1.0.json"
    with pytest.raises(
        InputError, match=r"v1\.0\.json cannot be read: there is no such file, nor .*v1\.1\.json"
    ):
        first_there(tmp_path, ANNOTATIONS)


@pytest.mark.parametrize("label", ["²", "-1", "1.5"])
def test_what_looks_like_a_class_and_is_none(tmp_path: Path, label: str) -> None:
    (tmp_path / "list.txt").write_text(f"v_E_1_2_A_0_1 {label}\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"line 1: .* is no <video>_E_a_b_A_c_d <class>"):
        read_elements(tmp_path / "list.txt", 99)


def test_missing_list(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gym288_train_element_v1\.0\.txt cannot be read"):
        lists_of(tmp_path, 288)


def test_identifiers_may_contain_the_separators() -> None:
    assert event_of("a_A_b_E_000001_000002_A_0000_0001") == "a_A_b_E_000001_000002"
    assert event_of("a_E_000001_000002") is None
