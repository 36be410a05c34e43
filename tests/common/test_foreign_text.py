import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.common.foreign_text import (
    read_foreign_json,
    read_foreign_lines,
    read_foreign_rows,
    read_foreign_text,
)

REMEDY = "Set the parameter."
TEXT = "playing Übung\nsecond"
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252", "latin-1")


def _file(folder: Path, data: bytes) -> Path:
    path = folder / "list.txt"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_every_encoding_and_line_end_reads_the_same(tmp_path: Path, encoding: str, line_end: str) -> None:
    path = _file(tmp_path, TEXT.replace("\n", line_end).encode(encoding))
    assert read_foreign_text(path, REMEDY) == TEXT


def test_a_guess_of_the_encoding_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    read_foreign_text(_file(tmp_path, TEXT.encode("cp1252")), REMEDY)
    assert "list.txt is no UTF-8 (byte 8); it is read as Windows-1252" in caplog.text


def test_bytes_without_a_letter_in_windows_are_latin_1(tmp_path: Path) -> None:
    assert read_foreign_text(_file(tmp_path, b"\xfc \x81"), REMEDY) == "ü \x81"


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"version https://git-lfs.github.com/spec/v1\nsize 7\n", "Git-LFS pointer to a file of 7 bytes"),
        (b"<!DOCTYPE html><html></html>", "web page"),
        (gzip.compress(b"a", mtime=0), r"compressed \(gzip\)"),
        (b"PK\x03\x04 and so on", r"compressed \(zip\)"),
        (b"\x89HDF\r\n\x1a\n\x00\x00", "binary data"),
        (b"text first" + bytes(9), "binary data"),
        (b"\x80\x02]q\x00.", "binary data"),
        (b"\xff\xfea", "begins as UTF-16-LE, but byte 2 is none"),
    ],
)
def test_what_is_no_text_is_called_what_it_is(tmp_path: Path, data: bytes, what: str) -> None:
    with pytest.raises(InputError, match=rf"list\.txt .*{what}.*Set the parameter\."):
        read_foreign_text(_file(tmp_path, data), REMEDY)


def test_missing_files_and_folders(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"absent cannot be read: there is no such file\. Set the parameter"):
        read_foreign_text(tmp_path / "absent", REMEDY)
    with pytest.raises(InputError, match=r"cannot be read: Is a directory\. Set the parameter"):
        read_foreign_text(tmp_path, REMEDY)


def test_lines_are_numbered_as_in_an_editor(tmp_path: Path) -> None:
    path = _file(tmp_path, "\n a \r\n\t\r\nb\x85\u2028c\n".encode())
    assert read_foreign_lines(path, REMEDY) == [(2, "a"), (4, "b\x85\u2028c")]
    assert read_foreign_lines(_file(tmp_path, b"\n \r\n"), REMEDY) == []
    assert read_foreign_lines(_file(tmp_path, b""), REMEDY) == []
    assert read_foreign_rows(_file(tmp_path, b"\n \r\n"), REMEDY) == []


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_first_line_tells_what_separates_cells(tmp_path: Path, delimiter: str) -> None:
    text = f'label{delimiter}time\n"a, b;c"{delimiter} 3 \nx{delimiter}\n'
    rows = read_foreign_rows(_file(tmp_path, text.encode()), REMEDY)
    assert [row.cells for row in rows] == [["label", "time"], ["a, b;c", "3"], ["x", ""]]


def test_an_open_quotation_mark_spoils_its_own_line_alone(tmp_path: Path) -> None:
    path = _file(tmp_path, b'label,time\n"massaging person\'s head,1\nb,2\n"c" d,3\n')
    rows = read_foreign_rows(path, REMEDY)
    assert [(row.number, bool(row.problem)) for row in rows] == [(1, False), (2, True), (3, False), (4, True)]
    assert rows[2].cells == ["b", "2"]


def test_json_with_a_mark(tmp_path: Path) -> None:
    assert read_foreign_json(_file(tmp_path, b'\xef\xbb\xbf{"a": 1}'), REMEDY) == {"a": 1}
    with pytest.raises(InputError, match=r"list\.txt is no JSON file .*Set the parameter"):
        read_foreign_json(_file(tmp_path, b"{"), REMEDY)


@given(st.binary(max_size=64))
def test_any_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = _file(tmp_path_factory.getbasetemp(), data)
    try:
        assert "\r" not in read_foreign_text(path, REMEDY)
    except InputError as error:
        assert str(path) in str(error)
