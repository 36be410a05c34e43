"""Files and folders that are either complete or absent, also after ``kill -9`` or a power cut."""

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vidrep_pipelines.common.text import LONGEST_NAME

TEMPORARY_MARK = ".partial-"


def temporary_path(path: Path) -> Path:
    """A hidden name beside ``path`` with the same suffix (libraries choose formats by it).

    It is cut to what file systems take: names of downloaded videos often are as long as can be.
    """
    mark = f"{TEMPORARY_MARK}{os.getpid()}-{secrets.token_hex(4)}{path.suffix}"
    stem = os.fsencode(path.stem)[: LONGEST_NAME - len(os.fsencode(mark)) - 1].decode(errors="ignore")
    return path.with_name(f".{stem}{mark}")


def publish_file(temporary: Path, path: Path) -> None:
    """Flushes ``temporary`` to the disk and gives it its final name, replacing what was there."""
    _flush(temporary)
    temporary.replace(path)


def _flush(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Gives a temporary path to write to; on success it becomes ``path``, on error it is removed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_path(path)
    try:
        yield temporary
        publish_file(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_directory(path: Path) -> Iterator[Path]:
    """Gives a temporary folder to fill; on success it becomes ``path``, on error it is removed.

    An existing folder at ``path`` is replaced; the moment without either is a single rename.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_path(path)
    temporary.mkdir()
    try:
        yield temporary
        for file in temporary.rglob("*"):
            if file.is_file():
                _flush(file)
        _replace_directory(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _replace_directory(temporary: Path, path: Path) -> None:
    """Renames the folder into place. The old one steps aside first, because a rename cannot replace it."""
    if path.exists():
        aside = temporary_path(path)
        path.rename(aside)
        temporary.rename(path)
        shutil.rmtree(aside)
    else:
        temporary.rename(path)


def remove_leftovers(directory: Path) -> int:
    """Removes what killed writers left anywhere under ``directory``; returns how many entries there were.

    Only call it when nobody writes there: a live writer's temporary file looks the same.
    """
    found = sorted(directory.rglob(f".*{TEMPORARY_MARK}*")) if directory.is_dir() else []
    for leftover in found:
        if leftover.is_dir():
            shutil.rmtree(leftover, ignore_errors=True)
        else:
            leftover.unlink(missing_ok=True)
    return len(found)
