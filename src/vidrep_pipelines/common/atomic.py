"""Files and folders that are either complete or absent, also after ``kill -9`` or a power cut.

In a folder that cannot be written to, a write that would change nothing is no error: a finished data folder
may be read-only.
"""

import filecmp
import functools
import glob
import hashlib
import os
import secrets
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vidrep_pipelines.common.errors import VidrepError

TEMPORARY_MARK = ".partial-"


class ReadOnlyError(VidrepError):
    """Something has to change in a folder that cannot be written to."""


def is_read_only(path: Path) -> bool:
    """Whether nothing may be written at ``path``, which need not exist: by permissions or by the mount."""
    there = next(parent for parent in (path, *path.absolute().parents) if parent.exists())
    return not os.access(there, os.W_OK)


def temporary_path(path: Path) -> Path:
    """A hidden name beside ``path`` with the same suffix (libraries choose formats by it)."""
    owner = f"{_machine()}-{os.getpid()}"
    return path.with_name(f".{path.stem}{TEMPORARY_MARK}{owner}-{secrets.token_hex(4)}{path.suffix}")


@functools.cache
def _machine() -> str:
    """Eight characters that tell this machine from others which may write to the same disk."""
    return hashlib.blake2b(socket.gethostname().encode(), digest_size=4).hexdigest()


def _remove_leftovers_of(path: Path) -> None:
    """Removes what writers of the same file or folder left that were killed on this machine."""
    pattern = f".{glob.escape(path.stem)}{TEMPORARY_MARK}{_machine()}-*{glob.escape(path.suffix)}"
    for leftover in path.parent.glob(pattern):
        owner = leftover.name.rpartition(TEMPORARY_MARK)[2].split("-")[1]
        if owner.isdecimal() and not _is_alive(int(owner)):
            _remove(leftover)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # somebody else's
        pass
    return True


def publish_file(temporary: Path, path: Path) -> None:
    """Flushes ``temporary`` to the disk and gives it its final name, replacing what was there."""
    _flush(temporary)
    temporary.replace(path)


def _flush(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Gives a temporary path to write to; on success it becomes ``path``, on error it is removed.

    Raises:
        ReadOnlyError: The folder cannot be written to, and the file would change.
    """
    if is_read_only(path.parent):
        with _elsewhere(path) as temporary:
            yield temporary
            if not (path.is_file() and filecmp.cmp(temporary, path, shallow=False)):
                raise _would_change(path)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_path(path)
    try:
        yield temporary
        publish_file(temporary, path)
        _remove_leftovers_of(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_directory(path: Path) -> Iterator[Path]:
    """Gives a temporary folder to fill; on success it becomes ``path``, on error it is removed.

    An existing folder at ``path`` is replaced; the moment without either is a single rename.

    Raises:
        ReadOnlyError: The parent cannot be written to, and the folder would change.
    """
    if is_read_only(path.parent):
        with _elsewhere(path) as temporary:
            temporary.mkdir()
            yield temporary
            if not _same_files(temporary, path):
                raise _would_change(path)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_path(path)
    temporary.mkdir()
    try:
        yield temporary
        for file in temporary.rglob("*"):
            if file.is_file():
                _flush(file)
        _replace_directory(temporary, path)
        _remove_leftovers_of(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def _elsewhere(path: Path) -> Iterator[Path]:
    """A path of the same name in the system's folder for temporary files."""
    with tempfile.TemporaryDirectory(prefix="vidrep-") as folder:
        yield Path(folder) / path.name


def _same_files(one: Path, other: Path) -> bool:
    """Whether two folders hold the same files with the same content."""
    names = [
        {file.relative_to(folder) for file in folder.rglob("*") if file.is_file()} for folder in (one, other)
    ]
    return names[0] == names[1] and all(
        filecmp.cmp(one / name, other / name, shallow=False) for name in names[0]
    )


def _would_change(path: Path) -> ReadOnlyError:
    return ReadOnlyError(
        f"{path} is not up to date, and {path.parent} cannot be written to. Remedy: run it where the data "
        "folder may be written, or copy what is needed and set VIDREP_DATA to the copy."
    )


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
        _remove(leftover)
    return len(found)


def _remove(leftover: Path) -> None:
    if leftover.is_dir():
        shutil.rmtree(leftover, ignore_errors=True)
    else:
        leftover.unlink(missing_ok=True)
