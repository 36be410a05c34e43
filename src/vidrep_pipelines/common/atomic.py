"""Files and folders that are either complete or absent, also after ``kill -9`` or a power cut.

In a folder that cannot be written to, a write that would change nothing is no error: a finished data folder
may be read-only.
"""

import ctypes
import errno
import filecmp
import functools
import hashlib
import os
import secrets
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from vidrep_pipelines.common.errors import VidrepError
from vidrep_pipelines.common.text import LONGEST_NAME

_CURRENT_FOLDER = -100  # AT_FDCWD: paths are taken as every other call takes them
_EXCHANGE = 2  # RENAME_EXCHANGE
_NOT_HERE = {errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP, errno.ENOTSUP}
"""What a kernel or a file system without the exchange answers; NFS is one."""


def exchange(first: Path, second: Path, aside: Path) -> None:
    """Swaps the names of two existing files or folders.

    On Linux, where the file system can, this is one step. Elsewhere it is three renames, between which a
    kill leaves the former ``first`` whole as ``aside``, and ``second`` whole under one of the two names.

    Args:
        first: What readers look for: its name is without content for no longer than one rename.
        second: Takes its place.
        aside: A free name on the same file system, used only where the exchange is not available.

    Raises:
        OSError: Both have the names that they had.
    """
    if _exchanged_at_once(first, second):
        return
    first.rename(aside)
    try:
        second.rename(first)
    except OSError:
        aside.rename(first)
        raise
    aside.rename(second)


def _exchanged_at_once(first: Path, second: Path) -> bool:
    """Linux's ``renameat2``, which Python does not offer. False: nothing happened, it is not available."""
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError, TypeError):  # another system, or an older C library
        return False
    status = rename(_CURRENT_FOLDER, os.fsencode(first), _CURRENT_FOLDER, os.fsencode(second), _EXCHANGE)
    if status == 0:
        return True
    code = ctypes.get_errno()
    if code in _NOT_HERE:
        return False
    raise OSError(code, os.strerror(code), str(first), None, str(second))


TEMPORARY_MARK = ".partial-"
_REPLACED_MARK = ".replaced"
_LONGEST_MARK = len(f".{TEMPORARY_MARK}12345678-1234567890-12345678")
_MOST_NAMES = 1000
"""That a writer looks at for leftovers: all of them each time, in a folder that many files go to one by one,
would cost the square of their number. Who fills such a folder calls :func:`remove_leftovers` first."""


class ReadOnlyError(VidrepError):
    """Something has to change in a folder that cannot be written to."""


def is_read_only(path: Path) -> bool:
    """Whether nothing may be written at ``path``, which need not exist: by permissions or by the mount."""
    there = next(parent for parent in (path, *path.absolute().parents) if parent.exists())
    return not os.access(there, os.W_OK)


def temporary_path(path: Path) -> Path:
    """A hidden name beside ``path`` with the same suffix (libraries choose formats by it).

    It is cut to what file systems take: names of downloaded videos often are as long as can be.
    """
    owner = f"{_machine()}-{os.getpid()}"
    return path.with_name(f".{_cut_stem(path)}{TEMPORARY_MARK}{owner}-{secrets.token_hex(4)}{path.suffix}")


def _cut_stem(path: Path) -> str:
    room = LONGEST_NAME - _LONGEST_MARK - len(os.fsencode(path.suffix))
    return os.fsencode(path.stem)[:room].decode(errors="ignore")


@functools.cache
def _machine() -> str:
    """Eight characters that tell this machine from others which may write to the same disk.

    So they do containers on one machine, where equal numbers are different processes.
    """
    try:
        processes = f"{Path('/proc/self/ns/pid').readlink()}"
    except OSError:  # not Linux
        processes = ""
    return hashlib.blake2b(f"{socket.gethostname()} {processes}".encode(), digest_size=4).hexdigest()


def _remove_leftovers_of(path: Path) -> None:
    """Removes what writers of the same file or folder left that were killed on this machine.

    Only where the folder has few other names.
    """
    start = f".{_cut_stem(path)}{TEMPORARY_MARK}{_machine()}-"
    with os.scandir(path.parent) as entries:
        names = [entry.name for entry in islice(entries, _MOST_NAMES)]
    for name in names:
        if name.startswith(start) and name.endswith(path.suffix):
            owner = name.removeprefix(start).partition("-")[0]
            if owner.isdecimal() and not _is_alive(int(owner)):
                _remove(path.with_name(name))


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

    An existing folder at ``path`` is replaced, in one step where the system can exchange two names. Where it
    cannot, a kill between two renames leaves the old folder under a hidden name; :func:`recover_directory`
    and the next call put it back.

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
    recover_directory(path)
    temporary = temporary_path(path)
    temporary.mkdir()
    try:
        yield temporary
        for file in temporary.rglob("*"):
            if file.is_file():
                _flush(file)
        if path.exists():
            exchange(path, temporary, aside=_replaced(path))  # what was there is now the temporary folder
        else:
            temporary.rename(path)
        _remove_leftovers_of(path)
    finally:
        _remove(temporary)


def recover_directory(path: Path) -> None:
    """Gives a folder its name back that :func:`atomic_directory` was replacing when it was killed.

    Does nothing where there is nothing to put back.
    """
    replaced = _replaced(path)
    if replaced.is_dir():
        if path.exists():
            _remove(replaced)
        else:
            replaced.rename(path)


def remove_directory(path: Path) -> None:
    """Removes a folder so that nobody ever sees a part of it under its name."""
    doomed = temporary_path(path)
    path.rename(doomed)
    _remove(doomed)


def _replaced(path: Path) -> Path:
    return path.with_name(f".{path.name}{_REPLACED_MARK}")


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


def remove_leftovers(directory: Path) -> int:
    """Removes what killed writers left anywhere under ``directory``; returns how many entries there were.

    A folder that was being replaced gets its name back. Only call it when nobody writes there: a live
    writer's temporary file looks the same.
    """
    if not directory.is_dir():
        return 0
    for replaced in sorted(directory.rglob(f".*{_REPLACED_MARK}")):
        name = replaced.name.removeprefix(".").removesuffix(_REPLACED_MARK)
        recover_directory(replaced.with_name(name))
    leftovers = sorted(directory.rglob(f".*{TEMPORARY_MARK}*"))
    for leftover in leftovers:
        _remove(leftover)
    return len(leftovers)


def _remove(path: Path) -> None:
    """Removes a file or a folder, if it is there; of a link only the link."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
