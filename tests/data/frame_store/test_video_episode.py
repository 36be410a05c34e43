from pathlib import Path

import h5py
import numpy as np
import pytest

from tests.helpers.videos import flip_bytes, read_barcodes, write_video
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.frame_store.episode import DamagedViewError
from vidrep_pipelines.data.frame_store.video_episode import VideoEpisode


def test_video_without_controls(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", 9)
    with VideoEpisode("pour/a", path, "pour").open() as episode:
        (view,) = episode.views
        assert read_barcodes(np.stack(list(view.pictures))) == list(range(9))
        assert (episode.robot, view.source_frames, episode.usable_frames) == ("pour", 9, None)


def test_states_and_actions_beside_a_video(tmp_path: Path) -> None:
    path, truth = write_video(tmp_path / "a.mp4", 6), tmp_path / "a.h5"
    with h5py.File(truth, "w") as file:
        file["states"], file["actions"] = np.ones((6, 4)), np.zeros((6, 3))
    with VideoEpisode("a", path, controls=truth).open() as episode:
        assert (episode.states.shape, episode.actions.shape) == ((6, 4), (6, 3))
        assert episode.usable_frames == 6


def test_damaged_video_breaks_off(tmp_path: Path) -> None:
    path = flip_bytes(write_video(tmp_path / "a.mp4", 60, options={"g": "6"}), 0.5, 400)
    frames = []
    with VideoEpisode("a", path).open() as episode, pytest.raises(DamagedViewError, match=r"a\.mp4"):
        for view in episode.views:
            frames += list(view.pictures)
    assert read_barcodes(np.stack(frames)) == list(range(len(frames))) if frames else True


def test_controls_that_cannot_be_read(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", 3)
    (tmp_path / "a.h5").write_text("none")
    with (
        pytest.raises(InputError, match=r"a\.h5: states and actions"),
        VideoEpisode("a", path, controls=tmp_path / "a.h5").open(),
    ):
        pass
