"""Two files or folders swap their names, so that at every moment one whole thing has each name."""

import ctypes
import errno
import os
from pathlib import Path

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
