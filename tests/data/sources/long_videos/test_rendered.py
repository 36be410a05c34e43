from pathlib import Path

import h5py
import numpy as np
import pytest

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.sources.long_videos.rendered import RenderedClip, rendered_videos


def clip(folder: Path, name: str, phases: int) -> RenderedClip:
    path = folder / f"{name.replace('/', '_')}.h5"
    with h5py.File(path, "w") as file:
        file["phases"] = np.array([-1, *range(phases)], np.int16)
        file.attrs["phase_names"] = [f"phase {number}" for number in range(phases)]
    return name, path.with_suffix(".mp4"), path, name


@pytest.fixture
def clips(tmp_path: Path) -> list[RenderedClip]:
    return [
        clip(tmp_path, f"{name}/{name}_{number}", count)
        for name, count in (("wave", 3), ("pour", 5))
        for number in range(4)
    ]


def test_last_clips_of_every_activity_are_held_out(clips: list[RenderedClip]) -> None:
    videos = rendered_videos(clips, 0.3, "phases").videos
    assert [video.id for video in videos] == [
        *(f"train/{name}_{number}" for name in ("pour", "wave") for number in range(3)),
        "validation/pour_3",
        "validation/wave_3",
    ]
    assert [(video.action, video.action_label, video.classes) for video in videos[-2:]] == [
        ("pour", 0, 5),
        ("wave", 1, 3),
    ]
    assert videos[-1].read_labels(4).tolist() == [-1, 0, 1, 2]


def test_phases_as_classes_of_their_own(clips: list[RenderedClip]) -> None:
    videos = {video.id: video for video in rendered_videos(clips, 0.5, "elements").videos}
    assert {video.classes for video in videos.values()} == {8}
    assert videos["train/pour_0"].read_labels(6).tolist() == [-1, 0, 1, 2, 3, 4]
    assert videos["train/wave_0"].read_labels(4).tolist() == [-1, 5, 6, 7]
    assert sum(name.startswith("validation") for name in videos) == 4


def test_single_clip_and_damaged_truth(clips: list[RenderedClip]) -> None:
    with pytest.raises(InputError, match="single clip of 'pour'"):
        rendered_videos(clips[:5], 0.3, "phases")
    clips[4][2].write_text("none")
    with pytest.raises(InputError, match="no truth file"):
        rendered_videos(clips, 0.3, "phases")


def test_the_very_last_clips_are_for_what_is_read_once(clips: list[RenderedClip]) -> None:
    videos = rendered_videos(clips, 0.25, "phases", test=0.5).videos
    assert [video.id for video in videos if video.action == "wave"] == [
        "test/wave_2",
        "test/wave_3",
        "train/wave_0",
        "validation/wave_1",
    ]
    with pytest.raises(InputError, match="4 clips of 'pour', too few for the splits"):
        rendered_videos(clips, 0.25, "phases", test=0.8)
