from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.frame_store.config import FramesConfig
from vidrep_pipelines.data.frame_store.preparation import EpisodeRequest, prepare_episode
from vidrep_pipelines.data.frame_store.shard import read_views
from vidrep_pipelines.data.sources.replay_buffer import buffer_requests, episode_rows

LENGTHS, SIDE = (5, 7), 8
FRAMES = FramesConfig(height=SIDE, width=SIDE, min_frames=2)


def make_columns(stack: int = 1) -> dict[str, Any]:
    """Two episodes in the published layout; the numbers of a row tell which it is."""
    rows = sum(LENGTHS)
    pictures = np.random.default_rng(0).integers(0, 256, (rows, 3 * stack, SIDE, SIDE), dtype=np.uint8)
    kinds = np.concatenate([[0, *[1] * (length - 2), 2] for length in LENGTHS])
    actions = np.arange(rows * 2, dtype=np.float32).reshape(rows, 2) / 100
    columns = {
        "observation": pictures,
        "action": actions,
        "reward": np.arange(rows, dtype=np.float32),
        "discount": np.where(kinds == 2, 0.0, 1.0).astype(np.float32),
        "step_type": kinds,
    }
    columns["action"][kinds == 0] = 0
    return columns


def write(path: Path, columns: dict[str, Any]) -> Path:
    if path.suffix == ".npz":
        np.savez(path, **columns)
        return path
    with h5py.File(path, "w") as file:
        for name, values in columns.items():
            file[name] = values
    return path


def requests_for(path: Path) -> list[EpisodeRequest]:
    row = {"id": "expert/cheetah", "path": str(path), "bytes": path.stat().st_size, "mtime_ns": 1}
    return buffer_requests(pd.DataFrame([row]), FRAMES)


@pytest.mark.parametrize("suffix", [".hdf5", ".npz"])
@pytest.mark.parametrize("stack", [1, 3])
def test_episodes_with_newest_frames_and_outcomes_of_actions(suffix: str, stack: int, tmp_path: Path) -> None:
    columns = make_columns(stack)
    requests = requests_for(write(tmp_path / f"buffer{suffix}", columns))
    assert [request.id for request in requests] == ["expert/cheetah_0000", "expert/cheetah_0001"]
    start = 0
    for request, length in zip(requests, LENGTHS, strict=True):
        rows = slice(start, start + length)
        facts = prepare_episode(request, {".h5": tmp_path / "episode.h5"})
        assert facts["robot"] == "cheetah" and facts["frames"] == length
        (view,) = read_views(tmp_path / "episode.h5")
        np.testing.assert_array_equal(view.actions, columns["action"][rows][1:])
        np.testing.assert_array_equal(view.outcomes[:, 0], columns["reward"][rows][1:])
        np.testing.assert_array_equal(view.outcomes[:, 1], columns["discount"][rows][1:])
        with h5py.File(tmp_path / "episode.h5") as file:
            expected = columns["observation"][rows][:, -3:].transpose(0, 2, 3, 1)
            np.testing.assert_array_equal(file["frames"][:], expected)
        start += length


def test_a_file_without_step_types_is_one_episode_and_pictures_may_be_channels_last(tmp_path: Path) -> None:
    columns = make_columns()
    pictures = columns.pop("observation").transpose(0, 2, 3, 1)
    for name in ("step_type", "discount"):
        del columns[name]
    path = write(tmp_path / "episode.npz", {**columns, "image": pictures})
    (request,) = requests_for(path)
    with request.source.open() as episode:
        (view,) = episode.views
        np.testing.assert_array_equal(np.stack(list(view.pictures)), pictures)
        assert (episode.outcomes[:, 1] == 1).all() and len(episode.actions) == sum(LENGTHS) - 1


def faulty(name: str) -> dict[str, Any]:
    columns = make_columns()
    if name == "no reward":
        del columns["reward"]
    if name == "no pictures":
        del columns["observation"]
    if name == "short":
        columns["reward"] = columns["reward"][:-1]
    if name == "cut off":
        columns = {key: values[:-1] for key, values in columns.items()}
    return columns


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no reward", r"lacks reward; it has action.*Remedy"),
        ("no pictures", "lacks observation or image"),
        ("short", r"reward \(11\) and action \(12\) differ in length"),
        ("cut off", "step_type does not mark episodes"),
    ],
)
def test_files_in_another_layout_are_refused(name: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        episode_rows(write(tmp_path / "buffer.hdf5", faulty(name)))


@pytest.mark.parametrize("suffix", [".hdf5", ".npz"])
def test_damaged_files_are_named(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"buffer{suffix}"
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(InputError, match=f"buffer{suffix} is no readable replay buffer"):
        episode_rows(path)


@pytest.mark.parametrize(("column", "what"), [("action", "action"), ("reward", "reward or discount")])
def test_numbers_that_are_not_finite_are_found(column: str, what: str, tmp_path: Path) -> None:
    columns = make_columns()
    columns[column][LENGTHS[0] + 2] = np.nan
    request = requests_for(write(tmp_path / "buffer.hdf5", columns))[1]
    with pytest.raises(InputError, match=f"row {LENGTHS[0] + 2}: the {what} is not a finite"):
        prepare_episode(request, {".h5": tmp_path / "episode.h5"})
