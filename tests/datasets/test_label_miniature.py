"""Miniatures as a dataset: whole or absent, and written only when something changed."""

import json
import logging
from dataclasses import replace
from pathlib import Path

import pytest
from kedro.io import DatasetError

from tests.helpers.label_sequences import tiny_clips
from vidrep_pipelines.data.sample_world.miniature import MiniatureRequest
from vidrep_pipelines.datasets.label_miniature import LabelMiniature


def request(digest: str = "one") -> MiniatureRequest:
    return MiniatureRequest("vip", tiny_clips(), quality=95, digest=digest)


def test_written_once_and_again_when_the_clips_change(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    dataset = LabelMiniature(filepath=tmp_path / "vip")
    assert not dataset.exists()
    dataset.save(request())
    frame = dataset.load() / "Images/videos1/000000000001.jpg"
    written = frame.stat().st_mtime_ns
    with caplog.at_level(logging.INFO):
        dataset.save(request())
    assert frame.stat().st_mtime_ns == written
    assert "miniature of vip: up to date (2 clips)" in caplog.text
    dataset.save(request("two"))
    assert frame.stat().st_mtime_ns != written
    assert json.loads(dataset.preview())["clips"] == [clip.id for clip in tiny_clips()]


@pytest.mark.parametrize("damage", ["gone", "cut", "stamp", "stamp of another kind", "files of another kind"])
def test_a_release_that_lost_something_is_written_again(tmp_path: Path, damage: str) -> None:
    dataset = LabelMiniature(filepath=tmp_path / "vip")
    dataset.save(request())
    frame, stamp = tmp_path / "vip/Images/videos1/000000000001.jpg", tmp_path / "vip/miniature.json"
    content = frame.read_bytes()
    match damage:
        case "gone":
            frame.unlink()
        case "cut":
            frame.write_bytes(content[:50])
        case "stamp":
            stamp.write_text("{")
        case "stamp of another kind":
            stamp.write_text("[1]")
        case _:
            stamp.write_text(json.dumps({**json.loads(stamp.read_text()), "files": 3}))
    dataset.save(request())
    assert frame.read_bytes() == content
    assert json.loads(stamp.read_text())["files"]["Images/videos1/000000000001.jpg"] == len(content)


def test_a_release_of_an_earlier_version_stays(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    dataset = LabelMiniature(filepath=tmp_path / "vip")
    dataset.save(request())
    stamp = tmp_path / "vip/miniature.json"
    former = {name: value for name, value in json.loads(stamp.read_text()).items() if name != "files"}
    stamp.write_text(json.dumps(former))
    with caplog.at_level(logging.INFO):
        dataset.save(request())
    assert "up to date" in caplog.text and "files" not in json.loads(stamp.read_text())


def test_a_failed_writing_leaves_what_was_there(tmp_path: Path) -> None:
    dataset = LabelMiniature(filepath=tmp_path / "vip")
    dataset.save(request())
    broken = replace(tiny_clips()[1], truth=tmp_path / "none.h5")
    with pytest.raises(DatasetError):
        dataset.save(replace(request("two"), clips=(tiny_clips()[0], broken)))
    assert dataset.exists()
    assert [path.name for path in tmp_path.iterdir()] == ["vip"]
    assert len(list((dataset.load() / "Images").iterdir())) == 2


def test_nothing_to_load_or_show(tmp_path: Path) -> None:
    dataset = LabelMiniature(filepath=tmp_path / "vip")
    with pytest.raises(DatasetError, match="does not exist"):
        dataset.load()
    assert json.loads(dataset.preview()) == {}
