import gzip
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fuzz.limits import within_limits
from vidrep_pipelines.common.array_pickle import load_array_pickle
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.common.foreign_file import disguise_of, plain_disguise_of
from vidrep_pipelines.common.foreign_text import read_foreign_text
from vidrep_pipelines.common.mat_file import read_mat
from vidrep_pipelines.common.npz import read_npy, read_npz
from vidrep_pipelines.common.restricted_pickle import load_plain_pickle
from vidrep_pipelines.data.label_sequences.images import read_header
from vidrep_pipelines.data.sources.long_videos.tfrecord import scan_records

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:2f3d\nsize 1411984514\n"
PAGES = (
    b"<!DOCTYPE html><html>quota exceeded</html>",
    b"\n\n  <html lang=en>",
    b"\xef\xbb\xbf<!doctype HTML>",
    b"<!-- cached -->\n<HTML>",
    b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>AccessDenied</Code></Error>',
)


def _file(folder: Path, data: bytes) -> Path:
    path = folder / "list"
    path.write_bytes(data)
    return path


def test_a_pointer_says_how_large_the_file_is_and_how_to_get_it(tmp_path: Path) -> None:
    found = disguise_of(_file(tmp_path, POINTER))
    assert found is not None
    assert found.what == "a Git-LFS pointer to a file of 1411984514 bytes, not the file itself"
    assert "git lfs pull" in found.remedy


@pytest.mark.parametrize("page", PAGES)
def test_a_web_page_is_called_one(tmp_path: Path, page: bytes) -> None:
    found = disguise_of(_file(tmp_path, page))
    assert found is not None
    assert found.what.startswith("a web page")


def test_an_empty_file_and_an_apple_double_are_called_so(tmp_path: Path) -> None:
    assert str(disguise_of(_file(tmp_path, b""))).startswith("it is empty. Remedy")
    assert plain_disguise_of(_file(tmp_path, b"")) is None  # a text may have no lines
    assert "AppleDouble" in str(disguise_of(_file(tmp_path, b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X")))


def test_compressed_files_are_in_disguise_only_where_text_is_expected(tmp_path: Path) -> None:
    path = _file(tmp_path, gzip.compress(b"a,b"))
    assert disguise_of(path) is None
    assert str(plain_disguise_of(path)).startswith("it is compressed (gzip). Remedy: unpack it")


@pytest.mark.parametrize("data", [b"a,b\n", b"<annotation>", b"version 2\n", b"\x89HDF\r\n\x1a\n"])
def test_real_files_have_no_disguise(tmp_path: Path, data: bytes) -> None:
    assert plain_disguise_of(_file(tmp_path, data)) is None


def test_comments_without_end_do_not_keep_anybody_busy(tmp_path: Path) -> None:
    path = _file(tmp_path, b"<!---->" * 140 + b"a,b\n")
    with within_limits():
        assert plain_disguise_of(path) is None


def test_a_missing_file_is_left_to_its_reader(tmp_path: Path) -> None:
    assert disguise_of(tmp_path / "absent") is None


@pytest.mark.parametrize(
    "read",
    [
        load_plain_pickle,
        load_array_pickle,
        lambda path: read_npz(path, ["a"], "archive"),
        lambda path: read_npy(path, "array"),
        lambda path: read_mat(path, "a"),
        read_header,
        lambda path: read_foreign_text(path, "Set it."),
        lambda path: list(scan_records(path)),
    ],
    ids=["pickle", "arrays", "npz", "npy", "mat", "picture", "text", "records"],
)
def test_nobody_waits_for_a_pipe(tmp_path: Path, read: Callable[[Path], object]) -> None:
    os.mkfifo(tmp_path / "a")
    assert str(disguise_of(tmp_path / "a")).startswith("it is no regular file (a pipe or a device). Remedy")
    with pytest.raises((InputError, ValueError), match="regular file"):
        read(tmp_path / "a")
