"""Lists and tables that people downloaded or wrote elsewhere: one way to read them all.

Every encoding with a mark is understood, UTF-8 and UTF-16 also without one; what is neither is read as
Windows-1252 (Latin-1 and more), with a warning. Lines end as on Unix, Windows or old Macs. A pointer, a web
page or a packed file is called that.
"""

import codecs
import csv
import json
import logging
import re
from pathlib import Path
from typing import Any, NamedTuple

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.common.foreign_file import file_head, plain_disguise_of

# Longer marks first: that of UTF-32 begins like that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_DELIMITERS = ",;\t"

_log = logging.getLogger(__name__)


class Line(NamedTuple):
    """One line that holds something.

    Attributes:
        number: Number of the line from 1, as editors count.
        text: What it holds.
    """

    number: int
    text: str


class ForeignRow(NamedTuple):
    """One line of a table.

    Attributes:
        number: Number of the line from 1, as editors count.
        cells: Without blanks at either end.
        problem: Why the cells cannot be trusted; empty if they can.
    """

    number: int
    cells: list[str]
    problem: str


def read_foreign_text(path: Path, remedy: str) -> str:
    r"""All of a text, with ``\n`` at the end of each line and no mark of its encoding.

    Args:
        path: The file.
        remedy: A sentence for the error: where the file is from, or which parameter names it.

    Raises:
        InputError: The file is missing, or cannot be read, or is no text; the message says what it is.
    """
    if disguise := plain_disguise_of(path):
        raise InputError(f"{path} cannot be read: {disguise} {remedy}")
    head = file_head(path) or b""
    if _is_binary(head):  # before all of a film is taken into memory
        raise _no_text(path, remedy)
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise InputError(f"{path} cannot be read: there is no such file. {remedy}") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}. {remedy}") from error
    text = _decoded(data, path, remedy)
    if _CONTROL.search(text):
        raise _no_text(path, remedy)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_foreign_lines(path: Path, remedy: str) -> list[Line]:
    """The lines that hold anything, without blanks at either end; see :func:`read_foreign_text`.

    Raises:
        InputError: The file is missing or no text.
    """
    return [Line(line.number, line.text.strip()) for line in _lines(path, remedy)]


def read_foreign_rows(path: Path, remedy: str) -> list[ForeignRow]:
    """The lines of a table, whose cells are separated by commas, semicolons or tabs, whichever the first has.

    Every line is a row of its own, so that a quotation mark without its partner spoils that row alone.

    Raises:
        InputError: The file is missing or no text.
    """
    lines = _lines(path, remedy)
    delimiter = max(_DELIMITERS, key=lines[0].text.count) if lines else ""
    return [_row(line, delimiter) for line in lines]


def read_foreign_json(path: Path, remedy: str) -> Any:
    """The content of a JSON file; see :func:`read_foreign_text`.

    Raises:
        InputError: The file is missing, no text, or no JSON.
    """
    try:
        return json.loads(read_foreign_text(path, remedy))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is no JSON file ({error}). {remedy}") from error


def _lines(path: Path, remedy: str) -> list[Line]:
    """The lines that hold anything, with the blanks at their ends: a tab there separates an empty cell."""
    numbered = enumerate(read_foreign_text(path, remedy).split("\n"), start=1)
    return [Line(number, text) for number, text in numbered if text.strip()]


def _row(line: Line, delimiter: str) -> ForeignRow:
    try:
        cells = next(csv.reader([line.text], delimiter=delimiter, skipinitialspace=True, strict=True))
    except csv.Error as error:
        return ForeignRow(line.number, [line.text], f"is no row of a table ({error})")
    return ForeignRow(line.number, [cell.strip() for cell in cells], "")


def _decoded(data: bytes, path: Path, remedy: str) -> str:
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            try:
                return data[len(mark) :].decode(encoding)
            except UnicodeDecodeError as error:
                raise InputError(
                    f"{path} is damaged: it begins as {encoding.upper()}, but byte {error.start + len(mark)} "
                    f"is none. {remedy}"
                ) from error
    if unmarked := _unmarked_utf16(data):
        return data.decode(unmarked, "replace")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        _log.warning(
            "%s is no UTF-8 (byte %d); it is read as Windows-1252 (Latin-1). If names come out wrong, save "
            "it as UTF-8.",
            path,
            error.start,
        )
        return data.decode("latin-1" if any(data.count(byte) for byte in _UNDEFINED) else "cp1252")


_UNDEFINED = (b"\x81", b"\x8d", b"\x8f", b"\x90", b"\x9d")
"""Bytes that Windows-1252 has no letters for."""


def _unmarked_utf16(data: bytes) -> str | None:
    """The byte order of a text in UTF-16 without a mark: every second byte of Western letters is zero."""
    high_last, high_first = data[1:512:2], data[0:512:2]
    for encoding, zeros, letters in (
        ("utf-16-le", high_last, high_first),
        ("utf-16-be", high_first, high_last),
    ):
        if zeros.count(0) > 0.6 * max(len(zeros), 1) and not letters.count(0):
            return encoding
    return None


def _is_binary(head: bytes) -> bool:
    marked = any(head.startswith(mark) for mark, _ in _MARKS)
    return b"\x00" in head and not marked and _unmarked_utf16(head) is None


def _no_text(path: Path, remedy: str) -> InputError:
    return InputError(f"{path} is no text: it holds binary data. {remedy}")
