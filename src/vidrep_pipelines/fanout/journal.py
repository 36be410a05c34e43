"""Append-only records of finished items: one file per worker process, one JSON line per item."""

import errno
import json
import os
import secrets
import socket
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

Row = dict[str, Any]

_NEEDED = frozenset(("id", "status", "error", "seconds", "bytes", "digest", "attempts", "facts"))


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

    def append(self, row: Row) -> None:
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


def read_journal(path: Path) -> Iterator[tuple[int, Row]]:
    """Every whole row of a journal with the byte at which it starts; torn lines are passed over."""
    start = 0
    with path.open("rb") as file:
        for line in file:
            row = parse_line(line)
            if row is not None:
                yield start, row
            start += len(line)


def parse_line(line: bytes) -> Row | None:
    """The row in a journal line; none when the line is torn or no row."""
    if not line.endswith(b"\n"):
        return None
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) and row.keys() >= _NEEDED else None
