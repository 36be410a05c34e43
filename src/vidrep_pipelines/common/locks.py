"""File locks that tell a lock held by another process from a file system that has none.

Network file systems mounted without locks (Lustre without ``flock``, NFS without its lock daemon) refuse
every lock. That is no sign of another process: the work goes on, with one warning.
"""

import errno
import fcntl
import functools
import logging
import os
from collections.abc import Callable
from enum import Enum
from pathlib import Path

_TAKEN = frozenset({errno.EACCES, errno.EAGAIN})
_ENOTSUPP = 524
"""Error number of the Linux kernel without a name in C; some network file systems let it through."""

_NO_LOCKS = frozenset({errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EINVAL, _ENOTSUPP})
_log = logging.getLogger(__name__)


class Locking(Enum):
    """What came of the attempt to lock a file."""

    HELD = "held"
    """This process holds the lock."""

    TAKEN = "taken"
    """Another process holds it."""

    IMPOSSIBLE = "impossible"
    """The file system has no locks."""


def try_lock(descriptor: int, path: Path, *, shared: bool = False) -> Locking:
    """Tries to lock an open file without waiting; the lock ends with the last copy of the descriptor.

    Args:
        descriptor: Descriptor of the open file; child processes that inherit it hold the lock too.
        path: The file, for the warning.
        shared: Others may hold it shared at the same time.

    Raises:
        OSError: The file cannot be locked for another reason, such as a disk error.
    """
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    return _tried(lambda: fcntl.flock(descriptor, kind | fcntl.LOCK_NB), path)


def try_process_lock(descriptor: int, path: Path) -> Locking:
    """Tries to lock an open file for this process alone: child processes do not inherit the lock.

    Args:
        descriptor: Descriptor of the file, open for writing.
        path: The file, for the warning.

    Raises:
        OSError: The file cannot be locked for another reason, such as a disk error.
    """
    return _tried(lambda: fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB), path)


def _tried(lock: Callable[[], None], path: Path) -> Locking:
    try:
        lock()
    except OSError as error:
        if error.errno in _TAKEN:
            return Locking.TAKEN
        if error.errno in _NO_LOCKS:
            _warn_once(_mount_point(path), os.strerror(error.errno or 0))
            return Locking.IMPOSSIBLE
        raise
    return Locking.HELD


def _mount_point(path: Path) -> Path:
    return next(folder for folder in path.absolute().parents if folder.is_mount())


@functools.lru_cache(maxsize=1024)
def _warn_once(mount_point: Path, reason: str) -> None:
    _log.warning(
        "The file system at %s has no locks (%s), so that nothing keeps two runs apart. See to it that only "
        "one works in a folder at a time.",
        mount_point,
        reason,
    )
