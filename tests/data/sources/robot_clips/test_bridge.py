import logging
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.helpers.videos import barcode_frames, read_barcodes
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.frame_store.episode import DamagedViewError
from vidrep_pipelines.data.sources.robot_clips.bridge import BridgeTrajectory, list_bridge

FRAMES = 6
DATE = "2022-06-01_10-00-00"


def write_trajectory(
    root: Path,
    date: str = DATE,
    number: int = 0,
    text: str | None = "take the pot\nconfidence: 1\n",
    **files: Any,
) -> Path:
    """A trajectory with two cameras; ``files`` replaces what is pickled by name."""
    folder = root / f"toykitchen1/pnp/00/{date}/raw/traj_group0/traj{number}"
    for camera in ("images0", "images1", "depth_images0"):
        (folder / camera).mkdir(parents=True)
        for frame, picture in enumerate(barcode_frames(FRAMES, 64, 48)):
            Image.fromarray(picture).save(folder / camera / f"im_{frame}.jpg", quality=95)
    states = np.arange(FRAMES * 7.0).reshape(FRAMES, 7)
    actions = [{"actions": np.full(7, step + 0.5), "policy_type": "VR"} for step in range(FRAMES - 1)]
    contents = {
        "obs_dict": {"full_state": states, "time_stamp": [0.5] * FRAMES},
        "policy_out": actions,
    } | files
    for name, content in contents.items():
        (folder / f"{name}.pkl").write_bytes(content if isinstance(content, bytes) else pickle.dumps(content))
    if text is not None:
        (folder / "lang.txt").write_text(text)
    return folder


def test_trajectory_is_read(tmp_path: Path) -> None:
    write_trajectory(tmp_path)
    (source,) = list_bridge(tmp_path)
    assert source.trajectory == f"bridge/toykitchen1/pnp/00/{DATE}/raw/traj_group0/traj0"
    assert (source.split, source.robot) == (None, "bridge")
    with source.open() as episode:
        pictures = {view.camera: read_barcodes(np.stack(list(view.pictures))) for view in episode.views}
    assert pictures == {0: list(range(FRAMES)), 1: list(range(FRAMES))}
    assert (episode.states.shape, episode.actions.shape) == ((6, 7), (5, 7))
    assert episode.actions[:, 0].tolist() == [0.5, 1.5, 2.5, 3.5, 4.5]
    assert [segment.text for segment in episode.annotations.segments] == ["take the pot"]
    assert episode.annotations.frames_per_second == 5


def test_first_recordings_are_one_step_late(tmp_path: Path) -> None:
    write_trajectory(tmp_path, "2021-07-22_23-59-59")
    write_trajectory(tmp_path, "2021-07-23_00-00-00")
    late, prompt = list_bridge(tmp_path)
    assert (late.late, prompt.late) == (True, False)
    with late.open() as episode:
        pictures = read_barcodes(np.stack(list(next(iter(episode.views)).pictures)))
    assert pictures == [1, 2, 3, 4, 5]
    assert episode.states[:, 0].tolist() == [7, 14, 21, 28, 35]
    assert episode.actions[:, 0].tolist() == [0.5, 1.5, 2.5, 3.5]
    assert not any(source.late for source in list_bridge(tmp_path, latency=False))


def test_trajectories_without_language_are_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_trajectory(tmp_path, number=0, text=None)
    with pytest.raises(InputError, match="no trajectory with language"):
        list_bridge(tmp_path)
    write_trajectory(tmp_path, number=10)
    write_trajectory(tmp_path, number=9)
    with caplog.at_level(logging.WARNING):
        assert [source.folder.name for source in list_bridge(tmp_path)] == ["traj9", "traj10"]
    assert "1 of 3 trajectories have no lang.txt" in caplog.text


class Evil:
    """Would write a file if it were unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("evil"),)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"text": "confidence: 1\n"}, "has no instruction"),
        ({"obs_dict": {"state": 1}}, "has no full_state"),
        ({"obs_dict": {"full_state": np.zeros((5, 7))}}, "full_state has 5 rows, where 6"),
        ({"obs_dict": {"full_state": np.full((6, 7), np.inf)}}, "row 0 of 6 is not finite"),
        ({"obs_dict": {"full_state": [Evil()] * 6}}, "was not read: it wants to call"),
        ({"obs_dict": b""}, "was not read"),
        ({"policy_out": []}, "is no list of actions"),
        ({"policy_out": [np.zeros(7)] * 3}, "actions has 3 rows, where 5 or 6"),
        ({"policy_out": [{}] * 5}, "row 0 of 5 is not finite"),
        ({"policy_out": ["left"] * 5}, "rows of numbers"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    folder = write_trajectory(tmp_path, **changes)
    with pytest.raises(InputError, match=message), BridgeTrajectory("a", folder).open():
        pass


def test_pictures_must_follow_one_another(tmp_path: Path) -> None:
    folder = write_trajectory(tmp_path)
    (folder / "images1/im_5.jpg").unlink()
    with BridgeTrajectory("a", folder).open() as episode:
        first, second = episode.views
        assert len(list(first.pictures)) == FRAMES
        with pytest.raises(DamagedViewError, match="images1 has 5 frames, 6 belong to it"):
            list(second.pictures)
    (folder / "images1/im_3.jpg").unlink()
    with pytest.raises(InputError, match="has 4 pictures"), BridgeTrajectory("a", folder).open():
        pass
    with (
        pytest.raises(InputError, match=r"none of \[7\]"),
        BridgeTrajectory("a", folder, cameras=(7,)).open(),
    ):
        pass
    (folder / "images0/im_2.jpg").write_bytes(b"\xff\xd8")
    with BridgeTrajectory("a", folder, cameras=(0,)).open() as episode:
        (view,) = episode.views
        with pytest.raises(DamagedViewError, match=r"im_2\.jpg is no whole picture"):
            list(view.pictures)


def test_digest_changes_with_files_and_options(tmp_path: Path) -> None:
    folder = write_trajectory(tmp_path)
    (before,) = list_bridge(tmp_path)
    assert list_bridge(tmp_path, cameras=(0,))[0].digest != before.digest
    (folder / "lang.txt").write_text("take the lid")
    assert list_bridge(tmp_path)[0].digest != before.digest
