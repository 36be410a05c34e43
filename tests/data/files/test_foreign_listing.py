"""Listing of folders that other programs wrote."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.files.foreign_listing import (
    files_by_stem,
    first_gap,
    folder_among,
    is_hidden,
    list_files,
    list_files_below,
    list_folders,
    natural_key,
    require_no_gap,
    size_and_time,
    stem_of,
)


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def names(paths: list[Path]) -> list[str]:
    return [path.name for path in paths]


def test_numbers_count_as_numbers_with_and_without_zeros(tmp_path: Path) -> None:
    unpadded = [f"{number}.jpg" for number in (1, 2, 9, 10, 11, 20, 100)]
    assert names(list_files(touch(tmp_path / "a", *reversed(unpadded)), (".jpg",))) == unpadded
    padded = [f"{number:05d}.jpg" for number in (0, 2, 10, 100)]
    assert names(list_files(touch(tmp_path / "b", *reversed(padded)), (".jpg",))) == padded


@given(st.lists(st.integers(0, 10**12), min_size=1, unique=True))
def test_zeros_in_front_do_not_change_the_order(numbers: list[int]) -> None:
    plain = sorted((f"v{number}_x" for number in numbers), key=natural_key)
    padded = sorted(f"v{number:013d}_x" for number in numbers)
    assert [int(name[1:-2]) for name in plain] == [int(name[1:-2]) for name in padded]


def test_what_systems_leave_behind_is_not_listed(tmp_path: Path) -> None:
    touch(tmp_path, "a.png", "._a.png", ".b.png", "__MACOSX/._a.png", "@eaDir/a.png", "sub/c.png", "d.txt")
    assert names(list_files(tmp_path, (".png",))) == ["a.png"]
    assert names(list_folders(tmp_path)) == ["sub"]
    assert names(list_files_below(tmp_path, (".png",))) == ["a.png", "c.png"]
    assert [name for name in ("._x", ".DS_Store", "__MACOSX", "x", "_x") if not is_hidden(name)] == [
        "x",
        "_x",
    ]


def test_folders_with_the_ending_of_a_file_are_none_and_broken_links_are(tmp_path: Path) -> None:
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "gone.png").symlink_to(tmp_path / "nothing")
    assert names(list_files(tmp_path, (".png",))) == ["gone.png"]


def test_linked_folders_below_are_not_followed(tmp_path: Path) -> None:
    touch(tmp_path, "a/b.png")
    (tmp_path / "a/loop").symlink_to(tmp_path)
    assert names(list_files_below(tmp_path, (".png",))) == ["b.png"]


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("id.mp4", "id"),
        ("id.mp4.webm", "id"),
        ("id.webm.MKV", "id"),
        ("a.b.mp4", "a.b"),
        ("-.mp4-x.mp4", "-.mp4-x"),
        (".mp4", ".mp4"),
        ("id.txt", "id.txt"),
    ],
)
def test_doubled_suffixes_are_taken_off(name: str, stem: str) -> None:
    assert stem_of(name, (".mp4", ".mkv", ".webm")) == stem


def test_one_file_for_each_stem_that_with_a_single_suffix_first(tmp_path: Path) -> None:
    touch(tmp_path, "b.mp4.webm", "b.webm", "a.mp4.webm", "10.mkv", "10.mp4", "9.MKV", "._9.mkv")
    found = files_by_stem(tmp_path, (".mp4", ".mkv", ".webm"))
    assert {stem: path.name for stem, path in found.items()} == {
        "9": "9.MKV", "10": "10.mp4", "a": "a.mp4.webm", "b": "b.webm"
    }  # fmt: skip
    assert list(found) == ["9", "10", "a", "b"]


def test_a_folder_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert list_files(tmp_path / "none", (".png",)) == []
    assert list_folders(tmp_path / "none") == []
    assert files_by_stem(touch(tmp_path, "file") / "file", (".png",)) == {}


def test_a_folder_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"x{300} cannot be listed: File name too long"):
        list_files(tmp_path / ("x" * 300), (".png",))


@pytest.mark.parametrize(
    ("stems", "gap"),
    [
        (["1", "2", "3"], None),
        (["00009", "00010"], None),
        (["9", "11"], ("9", "11")),
        (["1", "01", "2"], ("1", "01")),
        (["a", "b"], None),
        (["1"], None),
    ],
)
def test_gaps_in_numbers(stems: list[str], gap: tuple[str, str] | None) -> None:
    assert first_gap(stems) == gap


def test_gaps_are_said_with_what_is_wrong() -> None:
    folder = Path("frames/x")
    with pytest.raises(
        InputError, match=r"^frames/x has frame 9 and then 11: those between are missing. Do\.$"
    ):
        require_no_gap(folder, ["9", "11"], "Do.")
    with pytest.raises(InputError, match="has frame 01 and then 1: which is the same number"):
        require_no_gap(folder, ["01", "1"], "")
    with pytest.raises(InputError, match="begins with frame 5: those before are missing"):
        require_no_gap(folder, ["5", "6"], "", begins_by=1)
    require_no_gap(folder, ["1", "2"], "", begins_by=1)


def test_the_first_usual_name_that_is_there(tmp_path: Path) -> None:
    (tmp_path / "Frames").mkdir()
    usual = ("Rename_Images", "Frames")
    assert folder_among(tmp_path, usual).name == "Frames"
    (tmp_path / "Rename_Images").mkdir()
    assert folder_among(tmp_path, usual).name == "Rename_Images"
    assert folder_among(tmp_path / "none", usual).name == "Rename_Images"


def test_a_link_to_itself_is_a_file_that_nobody_can_open(tmp_path: Path) -> None:
    (tmp_path / "1.jpg").symlink_to("1.jpg")
    (tmp_path / "2.jpg").touch()
    assert [path.name for path in list_files(tmp_path, (".jpg",))] == ["1.jpg", "2.jpg"]
    assert list_folders(tmp_path) == []
    assert size_and_time(tmp_path / "1.jpg") == (-1, 0)


def test_names_that_no_table_can_hold_are_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    strange = os.fsdecode(b"caf\xe9")
    try:
        (tmp_path / strange).mkdir()
        (tmp_path / f"{strange}.jpg").touch()
    except OSError:
        pytest.skip("this file system takes UTF-8 only")
    (tmp_path / "good").mkdir()
    assert list_folders(tmp_path) == [tmp_path / "good"]
    assert list_files(tmp_path, (".jpg",)) == []
    assert len(caplog.messages) == 4
    assert all("caf\\udce9" in message and "rename it" in message for message in caplog.messages)


def test_size_and_time_of_a_file_and_of_a_broken_link(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"123")
    os.utime(path, ns=(5, 7))
    (tmp_path / "b").symlink_to("nowhere")
    assert size_and_time(path) == (3, 7)
    assert size_and_time(tmp_path / "b") == (-1, 0)
