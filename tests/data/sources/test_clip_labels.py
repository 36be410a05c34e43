"""Clips with classes in two parts: in folders, flat with a table, or with Something-Something's labels."""

import json
import shutil
from pathlib import Path

import pytest
from pydantic import ValidationError

from tests.helpers.label_sequences import tiny_clips
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.clips.config import ProbeClipsConfig
from vidrep_pipelines.data.sources.clip_labels import LABELLED_CLIP_COLUMNS, list_labelled_clips


def put(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(tiny_clips()[0].video, path)


def test_class_folders_of_two_parts(tmp_path: Path) -> None:
    put(*(tmp_path / f"{part}/{name}/{n}.mp4" for part in ("t", "v") for name in "ab" for n in (1, 2)))
    config = ProbeClipsConfig(train=tmp_path / "t", validation=tmp_path / "v")
    clips = list_labelled_clips(config, None)
    assert tuple(clips.columns) == LABELLED_CLIP_COLUMNS
    assert clips["id"].tolist()[:3] == ["train/a/1", "train/a/2", "train/b/1"]
    assert clips.groupby(["part", "class_name"]).size().tolist() == [2, 2, 2, 2]
    assert Path(clips["path"][0]).is_file()
    few = list_labelled_clips(config.model_copy(update={"most_per_class": 1}), None)
    assert few["id"].tolist() == ["train/a/1", "train/b/1", "validation/a/1", "validation/b/1"]


def test_a_flat_folder_with_the_official_table(tmp_path: Path) -> None:
    lines = ["label,youtube_id,time_start,time_end,split,is_cc"]
    for number, label in enumerate(("playing harp", "archery")):
        put(tmp_path / f"t/{number}bcdefghijk_000001_000011.mp4")
        lines.append(f"{label},{number}bcdefghijk,1,11,train,0")
    (tmp_path / "train.csv").write_text("\n".join(lines))
    put(tmp_path / "v/archery/x.mp4")
    config = ProbeClipsConfig(
        train=tmp_path / "t", validation=tmp_path / "v", train_annotations=tmp_path / "train.csv"
    )
    clips = list_labelled_clips(config, None)
    assert clips[["part", "class_name"]].values.tolist() == [
        ["train", "archery"],
        ["train", "playing_harp"],
        ["validation", "archery"],
    ]


def test_something_something_has_its_own_parts_and_templates(tmp_path: Path) -> None:
    for part, first in (("train", 1), ("validation", 3)):
        entries = [
            {"id": str(first), "label": "pushing a cup", "template": "Pushing [something]"},
            {"id": str(first + 1), "label": "lifting a cup", "template": "Lifting [something]"},
        ]
        (tmp_path / "labels").mkdir(exist_ok=True)
        (tmp_path / f"labels/{part}.json").write_text(json.dumps(entries))
    put(*(tmp_path / f"20bn-something-something-v2/{number}.webm" for number in range(1, 5)))
    clips = list_labelled_clips(ProbeClipsConfig(something_something=tmp_path), None)
    assert clips["id"].tolist() == ["train/1", "train/2", "validation/3", "validation/4"]
    assert clips["class_name"].tolist() == ["Pushing [something]", "Lifting [something]"] * 2


def test_every_second_clip_of_the_sample_world_is_for_validation(tmp_path: Path) -> None:
    put(*(tmp_path / f"{name}/{name}_{n:03d}.mp4" for name in ("push", "wave") for n in range(3)))
    clips = list_labelled_clips(ProbeClipsConfig(), tmp_path)
    parts = {row.id.rpartition("/")[2]: row.part for row in clips.itertuples()}
    assert [parts[f"push_{n:03d}"] for n in range(3)] == ["train", "validation", "train"]
    assert [parts[f"wave_{n:03d}"] for n in range(3)] == ["train", "validation", "train"]


def test_what_cannot_be_probed_is_said(tmp_path: Path) -> None:
    put(tmp_path / "one/a/1.mp4", tmp_path / "two/a/1.mp4", tmp_path / "two/b/1.mp4", tmp_path / "flat/x.mp4")
    put(tmp_path / "else/c/1.mp4")
    for train, validation, reason in (
        ("flat", "two", "no train clip with a class"),
        ("two", "flat", "no validation clip with a class"),
        ("one", "two", "are of one class"),
        ("two", "else", "two parts of one data set"),
    ):
        config = ProbeClipsConfig(train=tmp_path / train, validation=tmp_path / validation)
        with pytest.raises(InputError, match=reason):
            list_labelled_clips(config, None)
    with pytest.raises(ValidationError, match="needed together"):
        ProbeClipsConfig(train=tmp_path)
    with pytest.raises(ValidationError, match="two sources"):
        ProbeClipsConfig(train=tmp_path, validation=tmp_path, something_something=tmp_path)
