"""Append-only records of finished items: one file per worker process, one JSON line per item."""

import errno
import functools
import json
import logging
import os
import secrets
import socket
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

JournalRow = dict[str, Any]

_KINDS: dict[str, tuple[type, ...]] = {
    "id": (str,),
    "status": (str,),
    "error": (str, type(None)),
    "seconds": (float, int),
    "bytes": (int,),
    "digest": (str,),
    "attempts": (int,),
    "facts": (dict,),
}
"""What every row has, and of which kind."""

_log = logging.getLogger(__name__)


class JournalWriter:
    """Appends rows to a journal file of its own, created with the first row.

    A row is one write, so that a killed process leaves at most a torn last line. Rows are not flushed to the
    disk one by one: after a power cut, items whose rows were lost are simply redone.

    Args:
        directory: Where the journals of a run are.
    """

    def __init__(self, directory: Path) -> None:
        self._path = directory / f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}.jsonl"
        self._file: int | None = None

    def append(self, row: JournalRow) -> None:
        """Records one item.

        Raises:
            OSError: The disk is full; then the row does not count.
        """
        if self._file is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        line = json.dumps(row, separators=(",", ":")).encode() + b"\n"
        if os.write(self._file, line) != len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._path))

    def close(self) -> None:
        """Closes the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def journal_files(directory: Path) -> list[Path]:
    """All journals of a folder, in a fixed order."""
    return sorted(directory.glob("*.jsonl"))


def read_journal(path: Path) -> Iterator[tuple[int, JournalRow]]:
    """Every whole row of a journal with the byte at which it starts.

    Other lines are passed over, and their items done again. The last line may be torn by the death of its
    process; damage before it is worth a warning.
    """
    start, damaged = 0, 0
    with path.open("rb") as file:
        for line in file:
            row = parse_line(line)
            if row is not None:
                yield start, row
            else:
                damaged += line.endswith(b"\n")
            start += len(line)
    if damaged:
        _warn_once(path, damaged)


@functools.lru_cache(maxsize=1024)
def _warn_once(path: Path, lines: int) -> None:
    """A run reads its journals at its start and at its end."""
    _log.warning("%s: %d lines are damaged and left out; their items are done again.", path, lines)


def parse_line(line: bytes) -> JournalRow | None:
    """The row in a journal line; none when the line is torn or no row."""
    if not line.endswith(b"\n"):
        return None
    try:
        row = json.loads(line.decode())  # of bytes, it would guess the encoding first
    except (ValueError, RecursionError):
        return None
    if not isinstance(row, dict):
        return None
    for name, kinds in _KINDS.items():
        if not isinstance(row.get(name, ...), kinds):
            return None
    if not isinstance(row.get("checksums"), str | None):  # rows of earlier versions have none
        return None
    sound = row["status"] in ("ok", "failed") and _fits(row["bytes"]) and _fits(row["attempts"])
    return row if sound and all(map(_is_scalar, row["facts"].values())) else None


def _fits(number: int) -> bool:
    """Whether a table can hold the number."""
    return -(2**63) <= number < 2**63


def _is_scalar(value: object) -> bool:
    return _fits(value) if isinstance(value, int) else isinstance(value, str | float | None)
