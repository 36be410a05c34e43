from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from tests.helpers.robonet import jpeg
from tests.helpers.videos import barcode_frames, read_barcodes, truncate
from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.data.frame_store.episode import DamagedViewError
from vidrep_pipelines.data.sources.robot_clips.xbot import XbotEpisode, list_xbot

STEPS = 12


def write_recording(path: Path, encoding: str = "raw", **changes: Any) -> Path:
    """A recording of two cameras; ``changes`` replace arrays by name, None leaves one out."""
    frames = barcode_frames(STEPS, 64, 32)
    count = np.arange(STEPS)[:, None]
    arrays: dict[str, Any] = {
        "observations/arm_end_pose": count + np.arange(14) / 100,
        "observations/hand_qpos": count + np.arange(24) / 100 + 0.5,
        "action": np.repeat(count, 38, axis=1) + 0.25,
        "text": "pour the water",
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        for name, array in (arrays | changes).items():
            if array is not None:
                file[name] = array
        if encoding != "raw":
            file.attrs["compress"] = True
        for camera in ("cam_left", "cam_high"):
            write_pictures(file, f"observations/images/{camera}", frames, encoding)
    return path


def write_pictures(file: h5py.File, name: str, frames: np.ndarray, encoding: str) -> None:
    """Raw arrays; JPEG rows of one length (``padded``); or of their own lengths (``rows``)."""
    if encoding == "raw":
        file[name] = frames
        return
    rows = [jpeg(frame) for frame in frames]
    if encoding == "rows":
        array = file.create_dataset(name, len(rows), h5py.vlen_dtype(np.uint8))
        for number, row in enumerate(rows):
            array[number] = row
        return
    width = max(map(len, rows)) + 7
    file[name] = np.stack([np.pad(row, (0, width - len(row))) for row in rows])


def numbers_of(episode: XbotEpisode) -> dict[int, list[int]]:
    """Which frames each camera shows."""
    with episode.open() as opened:
        return {view.camera: read_barcodes(np.stack(list(view.pictures))) for view in opened.views}


@pytest.mark.parametrize("encoding", ["raw", "padded", "rows"])
def test_every_fifth_step_is_read_in_either_encoding(tmp_path: Path, encoding: str) -> None:
    write_recording(tmp_path / "xbot_04/episode_0.hdf5", encoding)
    (episode,) = list_xbot(tmp_path / "xbot_04")
    assert (episode.trajectory, episode.robot) == ("xbot_04/episode_0/phase0", "xbot_04")
    assert numbers_of(episode) == {0: [0, 5, 10], 1: [0, 5, 10]}
    with episode.open() as opened:
        assert opened.annotations.frames_per_second == 10
        assert opened.annotations.instruction_at(2) == "pour the water"


def test_states_are_right_arm_and_hand_then_left(tmp_path: Path) -> None:
    episode = XbotEpisode("a", write_recording(tmp_path / "a.hdf5"))
    with episode.open() as opened:
        states, actions = opened.states, opened.actions
    pose, hands = np.arange(14) / 100, np.arange(24) / 100 + 0.5
    expected = 5 + np.concatenate([pose[:7], hands[:12], pose[7:], hands[12:]])
    np.testing.assert_allclose(states[1], expected, rtol=1e-6)
    assert states.shape == actions.shape == (3, 38)
    np.testing.assert_array_equal(actions[:, 0], [0.25, 5.25, 10.25])


def test_phases_are_episodes_of_one_split(tmp_path: Path) -> None:
    for number in range(6):
        write_recording(tmp_path / f"episode_{number}.hdf5")
    episodes = list_xbot(tmp_path, "xbot", all_phases=True)
    assert numbers_of(episodes[2]) == {0: [2, 7], 1: [2, 7]}
    assert len({episode.digest for episode in episodes[:5]}) == 5
    splits: dict[Path, set[str | None]] = {}
    for episode in episodes:
        splits.setdefault(episode.path, set()).add(episode.split)
    assert splits == {
        tmp_path / f"episode_{number}.hdf5": {"validation" if number == 4 else "train"} for number in range(6)
    }
    assert {episode.split for episode in list_xbot(tmp_path, hold_out=False)} == {None}


def test_channels_can_be_turned_round(tmp_path: Path) -> None:
    path = write_recording(tmp_path / "a.hdf5")
    pictures = []
    for colors in ("rgb", "bgr"):
        with XbotEpisode("a", path, colors=colors, cameras=(1,)).open() as opened:
            (view,) = opened.views
            pictures.append(next(view.pictures))
    np.testing.assert_array_equal(pictures[0], pictures[1][..., ::-1])
    assert (pictures[0] != pictures[1]).any()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"text": None}, "has no instruction"),
        ({"text": ""}, "empty or no text"),
        ({"action": None}, "is no whole recording"),
        ({"action": np.zeros((11, 38))}, "its arrays differ in length"),
        ({"action": np.full((STEPS, 2), np.nan)}, "row 0 of 12 is not finite"),
        (
            {"observations/arm_end_pose": np.zeros((STEPS, 7))},
            r"arm_end_pose is \(12, 7\), expected \(T, 14\)",
        ),
        ({"observations/hand_qpos": np.zeros((STEPS, 12))}, r"hand_qpos is \(12, 12\), expected \(T, 24\)"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    path = write_recording(tmp_path / "a.hdf5", **changes)
    with pytest.raises(InputError, match=message), XbotEpisode("a", path).open():
        pass


def test_pictures_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    path = write_recording(tmp_path / "a.hdf5", "padded")
    with h5py.File(path, "a") as file:
        del file.attrs["compress"]
    with (
        pytest.raises(InputError, match=r"expected uint8 pictures \(T, H, W, 3\)"),
        XbotEpisode("a", path).open(),
    ):
        pass
    path = write_recording(tmp_path / "b.hdf5")
    with h5py.File(path, "a") as file:
        del file["observations/images/cam_left"]
        file["observations/images/cam_left"] = np.zeros((3, 8, 8, 3), np.uint8)
    with (
        pytest.raises(InputError, match="cam_left has 3 pictures for 12 steps"),
        XbotEpisode("a", path).open(),
    ):
        pass
    with (
        pytest.raises(InputError, match="12 steps, none from 12 on"),
        XbotEpisode("a", path, phase=12).open(),
    ):
        pass
    with pytest.raises(InputError, match=r"of these \[2\]"), XbotEpisode("a", path, cameras=(2,)).open():
        pass


def test_damaged_jpeg_ends_its_view(tmp_path: Path) -> None:
    path = write_recording(tmp_path / "a.hdf5", "padded")
    with h5py.File(path, "a") as file:
        file["observations/images/cam_high"][5] = 0
    with XbotEpisode("a", path).open() as opened:
        high, left = opened.views
        assert len(list(left.pictures)) == 3
        next(high.pictures)
        with pytest.raises(DamagedViewError, match=r"frame 5 of .*cam_high is no whole picture"):
            next(high.pictures)


def test_content_from_other_files_is_refused(tmp_path: Path) -> None:
    path = write_recording(tmp_path / "a.hdf5")
    with h5py.File(path, "a") as file:
        file["secret"] = h5py.ExternalLink("b.hdf5", "action")
    with pytest.raises(InputError, match="link to another file"), XbotEpisode("a", path).open():
        pass
    truncate(path, 0.5)
    with pytest.raises(InputError, match="no whole recording"), XbotEpisode("a", path).open():
        pass


def test_folders_and_steps_are_checked(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no recording"):
        list_xbot(tmp_path)
    with pytest.raises(ConfigurationError, match="step is 0"):
        list_xbot(tmp_path, step=0)
