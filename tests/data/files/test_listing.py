import os
import unicodedata

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.files.folders import LocalFolders
from vidrep_pipelines.data.files.listing import list_videos, scan_videos
from vidrep_pipelines.data.video.items import INDEX_SUFFIX


def listed(root):
    return list_videos(root).videos.to_pandas()


def make(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * len(name))
    return root


def test_rows(tmp_path):
    make(tmp_path, "train/pouring water/clip 1.mp4", "flat.MP4", "train/ü/日本.mkv", "train/notes.txt")
    table = listed(tmp_path)
    assert table["id"].tolist() == ["flat", "train/pouring water/clip 1", "train/ü/日本"]
    assert table["path"].tolist() == ["flat.MP4", "train/pouring water/clip 1.mp4", "train/ü/日本.mkv"]
    assert table["class_name"].tolist() == ["", "train", "train"]
    assert table["bytes"].tolist() == [8, 30, len("train/ü/日本.mkv")]
    assert table["mtime_ns"].tolist() == [(tmp_path / path).stat().st_mtime_ns for path in table["path"]]


def test_one_class_in_two_spellings_of_its_letters(tmp_path):
    for form, name in (("NFD", "a"), ("NFC", "b")):
        path = tmp_path / unicodedata.normalize(form, "Übung") / f"{name}.mp4"
        path.parent.mkdir(exist_ok=True)
        path.touch()
    videos = list_videos(tmp_path).videos.to_pandas()
    assert set(videos["class_name"]) == {"Übung"}
    assert sorted(videos["path"].str[-5:]) == ["a.mp4", "b.mp4"]
    assert all((tmp_path / path).is_file() for path in videos["path"])


def test_a_class_without_videos_is_told(tmp_path, caplog):
    (tmp_path / "full").mkdir()
    (tmp_path / "full/a.mp4").touch()
    (tmp_path / "full/empty").mkdir()
    (tmp_path / "empty/below").mkdir(parents=True)
    (tmp_path / "_parts/manifest").mkdir(parents=True)  # the bookkeeping of whoever wrote the clips
    assert list_videos(tmp_path).videos.to_pandas()["class_name"].tolist() == ["full"]
    assert caplog.messages == ["There is no video in the folder empty."]


def test_class_is_the_first_folder(tmp_path):
    assert listed(make(tmp_path, "a/b/c/x.mp4", "d/y.mp4"))["class_name"].tolist() == ["a", "d"]


def test_hidden_and_unfinished_files_are_left_out(tmp_path):
    make(
        tmp_path,
        ".x.mp4",
        ".cache/x.mp4",
        "x.mp4.part",
        "x.part.mp4",
        "x.temp.mp4",
        "x~.mp4",
        "good.mp4",
        "mp4",
    )
    os.mkfifo(tmp_path / "pipe.mp4")
    (tmp_path / "folder.mp4").mkdir()
    assert listed(tmp_path)["id"].tolist() == ["good"]


def test_files_that_differ_by_suffix_keep_it(tmp_path):
    make(tmp_path, "a/x.mp4", "a/x.mkv", "b/x.mp4", "a/x.mp4.mov", "a/x.mp4.avi.mov")
    assert listed(tmp_path)["id"].tolist() == ["a/x.mkv", "a/x.mp4", "a/x.mp4.avi", "a/x.mp4.mov", "b/x"]


NAMES = st.lists(st.sampled_from("ab"), min_size=1, max_size=2).map("".join)
SUFFIXES = st.lists(st.sampled_from([".mp4", ".mov"]), min_size=1, max_size=3).map("".join)


@given(st.sets(st.tuples(st.lists(NAMES, max_size=2).map(tuple), NAMES, SUFFIXES), min_size=1, max_size=12))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
def test_ids_are_unique_and_every_file_is_listed(tmp_path_factory, files):
    root = tmp_path_factory.mktemp("videos")
    paths = {"/".join([*folders, name + suffix]) for folders, name, suffix in files}
    make(root, *paths)
    table = listed(root)
    assert set(table["path"]) == paths
    assert table["id"].is_unique
    assert table["id"].is_monotonic_increasing


def test_links_are_followed_once(tmp_path):
    make(tmp_path / "root", "b/x.mp4")
    make(tmp_path / "elsewhere", "deep/y.mp4")
    root = tmp_path / "root"
    (root / "b/loop").symlink_to(root, target_is_directory=True)
    (root / "self").symlink_to("self")
    (root / "a").symlink_to(root / "b", target_is_directory=True)
    (root / "other").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (root / "z.mp4").symlink_to(tmp_path / "elsewhere/deep/y.mp4")
    assert listed(root)["id"].tolist() == ["b/x", "other/deep/y", "z"]


def test_a_broken_link_is_listed_so_that_it_is_reported(tmp_path):
    (tmp_path / "gone.mp4").symlink_to("nowhere")
    (tmp_path / "self.mp4").symlink_to("self.mp4")
    for row, name in zip(scan_videos(LocalFolders(tmp_path)), ["gone", "self"], strict=True):
        assert (row.id, row.bytes, row.mtime_ns) == (name, 0, 0)


def test_the_root_may_be_a_link(tmp_path):
    make(tmp_path / "real", "a/x.mp4")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert listed(tmp_path / "link")["id"].tolist() == ["a/x"]


def test_a_folder_that_cannot_be_read_is_logged(tmp_path, monkeypatch, caplog):
    make(tmp_path, "a/x.mp4", "locked/y.mp4")
    scandir = os.scandir

    def refuse(path):
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert listed(tmp_path)["id"].tolist() == ["a/x"]
    assert "locked is left out: the folder cannot be read: Permission denied" in caplog.text
    assert list_videos(tmp_path).unlisted == [("locked", "the folder cannot be read: Permission denied")]


def test_names_that_are_no_text_are_logged(tmp_path, caplog):
    make(tmp_path, "a.mp4")
    try:
        (tmp_path / os.fsdecode(b"\xff.mp4")).touch()
    except OSError:
        pytest.skip("this file system accepts UTF-8 names only")
    assert listed(tmp_path)["id"].tolist() == ["a"]
    assert "not valid UTF-8" in caplog.text
    assert list_videos(tmp_path).unlisted == [("\\udcff.mp4", "its name is not valid UTF-8; rename it")]


def test_the_scan_is_lazy(tmp_path):
    scan = scan_videos(LocalFolders(make(tmp_path, "a/x.mp4", "b/y.mp4")))
    assert next(scan).id == "a/x"
    (tmp_path / "b/z.mp4").touch()
    assert [video.id for video in scan] == ["b/y", "b/z"]


def test_folders_without_videos(tmp_path):
    with pytest.raises(InputError, match=r"ingest\.root: there is no folder .*absent"):
        list_videos(tmp_path / "absent")
    with pytest.raises(InputError, match=r"ingest\.root: there is no video below"):
        list_videos(tmp_path)
    make(tmp_path, "file.mp4")
    with pytest.raises(InputError, match=r"ingest\.root: .*file\.mp4 is a file"):
        list_videos(tmp_path / "file.mp4")


def test_a_root_that_cannot_be_read(tmp_path, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(InputError, match=r"ingest\.root: .* cannot be listed: Permission denied"):
        list_videos(tmp_path)


def test_what_systems_leave_behind_is_no_class(tmp_path):
    make(tmp_path, "a/x.mp4", "a/._x.mp4", "__MACOSX/a/x.mp4", "@eaDir/x.mp4")
    assert listed(tmp_path)["id"].tolist() == ["a/x"]


def test_names_that_leave_no_room_for_products(tmp_path):
    assert len(INDEX_SUFFIX) <= 15
    (tmp_path / f"{'a' * 240}.mp4").touch()
    long = tmp_path / f"{'影' * 80}a.mp4"
    long.touch()
    listing = list_videos(tmp_path)
    assert [len(name) for name in listing.videos.to_pandas()["id"]] == [240]
    assert listing.unlisted == [(long.name, "files cannot be named after it; rename it")]
