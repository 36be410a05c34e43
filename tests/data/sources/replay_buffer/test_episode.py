import io
import re
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import h5py
import numpy as np
import pandas as pd
import pytest

from tests.fuzz.limits import within_limits
from tests.helpers.replay_buffers import LENGTHS, SIDE, make_columns, write_buffer
from vidrep_pipelines.common import npz
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.frame_store.config import FramesConfig
from vidrep_pipelines.data.frame_store.preparation import EpisodeRequest, prepare_episode
from vidrep_pipelines.data.frame_store.shard import read_views
from vidrep_pipelines.data.sources.replay_buffer.episode import buffer_facts
from vidrep_pipelines.data.sources.replay_buffer.files import buffer_requests, list_buffers, read_facts_item

FRAMES = FramesConfig(height=SIDE, width=SIDE, min_frames=2)


def facts_of(listing: pd.DataFrame) -> pd.DataFrame:
    """The manifest that reading all files leads to."""
    rows = [{"status": "ok", "error": None, **read_facts_item(path, {})} for path in listing["path"]]
    return pd.DataFrame(rows).assign(id=listing["id"])


def requests_for(root: Path) -> list[EpisodeRequest]:
    listing = list_buffers(root)
    return buffer_requests(listing, facts_of(listing), FRAMES)


@pytest.mark.parametrize("suffix", [".hdf5", ".npz"])
@pytest.mark.parametrize("stack", [1, 3])
def test_episodes_with_newest_frames_and_outcomes_of_actions(suffix: str, stack: int, tmp_path: Path) -> None:
    columns = make_columns(stack)
    write_buffer(tmp_path / f"expert/cheetah{suffix}", columns)
    requests = requests_for(tmp_path)
    assert [request.id for request in requests] == ["expert/cheetah_0000", "expert/cheetah_0001"]
    start = 0
    for request, length in zip(requests, LENGTHS, strict=True):
        rows = slice(start, start + length)
        facts = prepare_episode(request, {".h5": tmp_path / "episode.h5"})
        assert facts["robot"] == "expert" and facts["frames"] == length
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
    write_buffer(tmp_path / "episode.npz", {**columns, "image": pictures})
    (request,) = requests_for(tmp_path)
    assert request.id == "episode"
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
    if name == "flat":
        columns["action"] = columns["action"][:, 0]
    if name == "cut off":
        columns = {key: values[:-1] for key, values in columns.items()}
    return columns


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no reward", r"lacks reward; it has action.*Remedy"),
        ("no pictures", "lacks observation or image"),
        ("short", r"reward \(11\) and action \(12\) differ in length"),
        ("flat", r"actions are \(12,\), expected \(N, A\)\. Remedy"),
        ("cut off", "step_type does not mark episodes"),
    ],
)
def test_files_in_another_layout_are_refused(name: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        buffer_facts(write_buffer(tmp_path / "buffer.hdf5", faulty(name)))


def test_rewards_may_be_columns(tmp_path: Path) -> None:
    columns = make_columns()
    columns |= {name: columns[name][:, None] for name in ("reward", "discount")}
    write_buffer(tmp_path / "buffer.hdf5", columns)
    with requests_for(tmp_path)[0].source.open() as episode:
        np.testing.assert_array_equal(episode.outcomes[:, 0], columns["reward"][1 : LENGTHS[0], 0])


@pytest.mark.parametrize("suffix", [".hdf5", ".npz"])
def test_damaged_files_are_named(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"buffer{suffix}"
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(InputError, match=f"buffer{suffix} is no readable replay buffer"):
        buffer_facts(path)


@pytest.mark.parametrize(("column", "what"), [("action", "action"), ("reward", "reward or discount")])
def test_numbers_that_are_not_finite_are_found(column: str, what: str, tmp_path: Path) -> None:
    columns = make_columns()
    columns[column][LENGTHS[0] + 2] = np.nan
    write_buffer(tmp_path / "raw/buffer.hdf5", columns)
    request = requests_for(tmp_path / "raw")[1]
    with pytest.raises(InputError, match=f"row {LENGTHS[0] + 2}: the {what} is not a finite"):
        prepare_episode(request, {".h5": tmp_path / "episode.h5"})


@pytest.mark.parametrize("value", [-0.5, 1.5])
def test_discounts_lie_between_0_and_1(value: float, tmp_path: Path) -> None:
    columns = make_columns()
    columns["discount"][LENGTHS[0] + 2] = value
    write_buffer(tmp_path / "raw/buffer.hdf5", columns)
    request = requests_for(tmp_path / "raw")[1]
    with pytest.raises(InputError, match=rf"row {LENGTHS[0] + 2}: the discount is {value}, where"):
        prepare_episode(request, {".h5": tmp_path / "episode.h5"})


@pytest.mark.parametrize("suffix", [".hdf5", ".npz"])
@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "empty"),
        (b"<html>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "a Git-LFS"),
    ],
)
def test_what_lies_in_place_of_a_buffer_is_named(
    suffix: str, content: bytes, what: str, tmp_path: Path
) -> None:
    path = tmp_path / f"buffer{suffix}"
    path.write_bytes(content)
    with pytest.raises(
        InputError, match=rf"buffer{suffix} is no readable replay buffer: it is {what}.*Remedy"
    ):
        buffer_facts(path)


def test_episodes_are_grouped_by_folder_else_by_file(tmp_path: Path) -> None:
    for name in ("expert/one.hdf5", "random/84px/two.hdf5", "three.hdf5"):
        write_buffer(tmp_path / name, make_columns())
    groups: list[Any] = [request.source for request in requests_for(tmp_path)]
    assert [source.robot for source in groups[::2]] == ["expert", "random/84px", "three"]


def test_folders_without_buffers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"dmc\.replay_buffer: there is no replay buffer below .*Remedy"):
        list_buffers(tmp_path)


def test_a_buffer_that_cannot_be_read_does_not_stop_the_others(tmp_path: Path) -> None:
    for name in ("good", "bad"):
        write_buffer(tmp_path / f"{name}.hdf5", make_columns())
    listing = list_buffers(tmp_path)
    facts = facts_of(listing)
    facts.loc[facts["id"] == "bad", ["status", "error"]] = ["failed", "bad.hdf5 lacks reward"]
    assert [request.id for request in buffer_requests(listing, facts, FRAMES)] == ["good_0000", "good_0001"]
    none = facts.assign(status="failed", error="it lacks reward")
    with pytest.raises(InputError, match=r"None of 2 replay buffers can be read\. it lacks reward"):
        buffer_requests(listing, none, FRAMES)


def test_episodes_of_different_sizes_are_named(tmp_path: Path) -> None:
    for name, side in (("a", SIDE), ("b", SIDE), ("c", 2 * SIDE)):
        write_buffer(tmp_path / f"{name}.hdf5", make_columns(side=side))
    expected = (
        "dmc.replay_buffer: the episodes are of different sizes: 8x8 pictures and 2 numbers per action in "
        "2 files, such as a; 16x16 pictures and 2 numbers per action in 1 files, such as c. Remedy"
    )
    with pytest.raises(InputError, match=re.escape(expected)):
        requests_for(tmp_path)


def test_arrays_that_nobody_asked_for_are_not_unpacked(tmp_path: Path) -> None:
    columns = {**make_columns(), "more": np.array([{"a": 1}], dtype=object)}
    np.savez_compressed(tmp_path / "buffer.npz", **columns)
    with ZipFile(tmp_path / "buffer.npz", "a", ZIP_DEFLATED) as archive:
        archive.writestr("bomb.npy", bytes(64 << 20))
    with within_limits(mebibytes=32):
        assert buffer_facts(tmp_path / "buffer.npz").actions == columns["action"].shape[1]


@pytest.mark.parametrize(
    ("column", "values", "said"),
    [
        ("action", np.array([{"a": 1}] * 12, dtype=object), "Python objects"),
        ("action", np.array(["a"] * 12), "action is no array of numbers"),
        ("reward", np.float32(1), "reward is no array of numbers"),
        ("discount", np.ones((12, 2)), r"discount \(12\) and action \(12\) differ in length"),
    ],
)
def test_columns_of_other_kinds_are_named(column: str, values: np.ndarray, said: str, tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "buffer.npz", **{**make_columns(), column: values})
    with pytest.raises(InputError, match=rf"buffer\.npz.*{said}"):
        buffer_facts(tmp_path / "buffer.npz")


@pytest.mark.parametrize("size", [8 << 20, 1 << 50], ids=["zeros", "a lie"])
def test_arrays_larger_than_their_file_are_refused_before(
    size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.savez_compressed(tmp_path / "buffer.npz", **{k: v for k, v in make_columns().items() if k != "action"})
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": (size, 1)})
    with (
        ZipFile(tmp_path / "buffer.npz", "a", ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("action.npy", "w") as file,
    ):
        file.write(header.getvalue() + bytes(min(size, 8 << 20)))
    monkeypatch.setattr(npz, "_ALWAYS_ALLOWED", 1 << 20)
    with (
        within_limits(mebibytes=32),
        pytest.raises(InputError, match=r"buffer\.npz is no readable replay buf"),
    ):
        buffer_facts(tmp_path / "buffer.npz")
