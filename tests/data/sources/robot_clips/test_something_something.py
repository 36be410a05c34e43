import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.helpers.videos import read_barcodes, write_video
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.frame_store.config import FramesConfig
from vidrep_pipelines.data.frame_store.preparation import EpisodeRequest, prepare_episode
from vidrep_pipelines.data.sources.robot_clips.something_something import list_something_something

LABEL = "holding potato next to vicks vaporub bottle"
TEMPLATE = "Holding [something] next to [something]"


def entry(identifier: str, **changes: Any) -> dict[str, Any]:
    """An object of a list as published."""
    whole = {"id": identifier, "label": LABEL, "template": TEMPLATE, "placeholders": ["potato", "bottle"]}
    return {name: value for name, value in (whole | changes).items() if value is not None}


def write_release(
    folder: Path, train: object, validation: object = None, videos: tuple[str, ...] = ("3",)
) -> Path:
    """Lists and videos of 6 frames."""
    (folder / "labels").mkdir(parents=True)
    (folder / "labels/train.json").write_text(json.dumps(train))
    if validation is not None:
        (folder / "labels/validation.json").write_text(json.dumps(validation))
    for name in videos:
        path = folder / f"20bn-something-something-v2/{name}.webm"
        write_video(
            path, 6, 64, 48, rate=12, codec="libvpx-vp9", options={"cpu-used": "8", "deadline": "realtime"}
        )
    return folder


def test_label_is_the_instruction_and_template_the_task(tmp_path: Path) -> None:
    write_release(tmp_path, [entry("3")], [entry("4")], videos=("3", "4"))
    episodes = list_something_something(tmp_path)
    assert [(one.trajectory, one.split, one.robot) for one in episodes] == [
        ("sthv2/train/3", "train", "sthv2"),
        ("sthv2/validation/4", "validation", "sthv2"),
    ]
    with episodes[0].open() as episode:
        pictures = np.stack(list(next(iter(episode.views)).pictures))
    assert read_barcodes(pictures) == list(range(6))
    (segment,) = episode.annotations.segments
    assert (segment.first, segment.last, segment.text, segment.task) == (0, 6, LABEL, TEMPLATE)
    assert episode.annotations.frames_per_second == 12
    assert len(episode.states) == len(episode.actions) == 0


def test_lists_of_the_first_release_are_found(tmp_path: Path) -> None:
    write_release(tmp_path, [entry("3")])
    (tmp_path / "labels/train.json").rename(tmp_path / "something-something-v2-train.json")
    (tmp_path / "20bn-something-something-v2").rename(tmp_path / "videos")
    assert [one.trajectory for one in list_something_something(tmp_path, "hands")] == ["hands/train/3"]


def test_entries_without_a_video_are_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_release(tmp_path, [entry("3"), entry("5"), entry("3", label="other"), {"label": "x"}, 7])
    with caplog.at_level(logging.WARNING):
        (episode,) = list_something_something(tmp_path)
    assert episode.text == LABEL
    assert "2 of 3 listed videos are left out" in caplog.text
    assert "2 entries name no video" in caplog.text


@pytest.mark.parametrize("label", [None, " ", 4])
def test_clip_without_label_fails_alone(tmp_path: Path, label: object) -> None:
    write_release(tmp_path, [entry("3"), entry("4", label=label)], videos=("3", "4"))
    good, bad = list_something_something(tmp_path)
    with good.open():
        pass
    with pytest.raises(InputError, match=r"4\.webm has the instruction '.*', which is empty"), bad.open():
        pass


def test_lists_and_folders_are_checked(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no list of labels"):
        list_something_something(tmp_path)
    write_release(tmp_path / "a", {"id": "3"})
    with pytest.raises(InputError, match="is no list of labels"):
        list_something_something(tmp_path / "a")
    write_release(tmp_path / "b", [entry("9")])
    with pytest.raises(InputError, match="None of the 1 videos"):
        list_something_something(tmp_path / "b")


def test_removed_video_and_changed_label(tmp_path: Path) -> None:
    write_release(tmp_path, [entry("3")])
    (before,) = list_something_something(tmp_path)
    (tmp_path / "labels/train.json").write_text(json.dumps([entry("3", label="lifting a book")]))
    assert list_something_something(tmp_path)[0].digest != before.digest
    before.path.unlink()
    with pytest.raises(InputError, match=r"3\.webm is missing"), before.open():
        pass


def test_clip_goes_into_a_store(tmp_path: Path) -> None:
    (clip,) = list_something_something(write_release(tmp_path / "release", [entry("3")]))
    request = EpisodeRequest(clip, FramesConfig(height=16, width=16, min_frames=4))
    facts = prepare_episode(request, {".h5": tmp_path / "shard.h5"})
    assert (facts["robot"], facts["frames"], facts["verdict"]) == ("sthv2", 6, "healthy")
