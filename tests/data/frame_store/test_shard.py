from pathlib import Path

import h5py
import numpy as np
import pytest

from tests.helpers.videos import truncate
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.frame_store.shard import View, pixel_sums, read_views, write_shard


def view(
    name: str, frames: int, states: int = 5
) -> tuple[View, "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]"]:
    pictures = np.random.default_rng(frames).integers(0, 256, (frames, 4, 6, 3), dtype=np.uint8)
    controls = np.full((frames, states), frames, np.float32), np.zeros((frames - 1, 4), np.float32)
    return View(name, 1, "kuka", frames, 31, *controls, pixel_sums(pictures)), pictures


def write(path: Path, *members: tuple[View, "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]"]) -> Path:
    write_shard(path, [m[0] for m in members], [m[1] for m in members], (4, 6), {"split": "train"})
    return path


def test_what_was_written_is_read(tmp_path: Path) -> None:
    members = [view("a", 3), view("b", 5)]
    path = write(tmp_path / "s.h5", *members)
    for read, (written, _) in zip(read_views(path), members, strict=True):
        assert (read.id, read.robot, read.frames, read.source_frames) == (
            written.id,
            "kuka",
            written.frames,
            31,
        )
        np.testing.assert_array_equal(read.states, written.states)
        np.testing.assert_array_equal(read.actions, written.actions)
        np.testing.assert_array_equal(read.pixel_sums, written.pixel_sums)


def test_layout(tmp_path: Path) -> None:
    members = [view("a", 3), view("b", 5)]
    with h5py.File(write(tmp_path / "s.h5", *members)) as file:
        frames = file["frames"]
        assert frames.chunks is None
        assert frames.compression is None
        np.testing.assert_array_equal(frames[:], np.concatenate([pictures for _, pictures in members]))
        assert file["video/offset"][:].tolist() == [0, 3, 8]
        assert file["state_offset"][:].tolist() == [0, 3, 8]
        assert file["action_offset"][:].tolist() == [0, 2, 6]
        assert (file.attrs["height"], file.attrs["width"], file.attrs["color"]) == (4, 6, "RGB")


def test_equal_content_gives_equal_bytes(tmp_path: Path) -> None:
    first, second = (write(tmp_path / f"{name}.h5", view("a", 3), view("b", 5)) for name in "xy")
    assert first.read_bytes() == second.read_bytes()


def test_different_kinds_of_states_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="5 numbers in one episode and 7 in another"):
        write(tmp_path / "s.h5", view("a", 3), view("b", 3, states=7))


@pytest.mark.parametrize("damage", ["cut", "old", "other"])
def test_damaged_shards_are_named(tmp_path: Path, damage: str) -> None:
    path = write(tmp_path / "s.h5", view("a", 3))
    if damage == "cut":
        truncate(path, 0.7)
    else:
        with h5py.File(path, "a") as file:
            if damage == "old":
                file.attrs["format_version"] = 0
            else:
                del file["video"]
    with pytest.raises(InputError, match=r"s\.h5 is no whole shard"):
        read_views(path)
