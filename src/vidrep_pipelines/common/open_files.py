"""How many files may be kept open: as many as the system lets this process have, not a number of ours."""

import errno
import resource

from vidrep_pipelines.common.errors import VidrepError

_KEPT_FREE = 64
"""Descriptors left to libraries, pipes, logs and videos."""

_LEAST = 4


class TooManyOpenFilesError(VidrepError):
    """The process has no file descriptor left. No file is at fault."""

    def __init__(self) -> None:
        super().__init__(
            f"This process may have {descriptor_limit()} files open, and has. Remedy: raise the limit "
            "(`ulimit -n 4096` in the shell that starts the run), or lower launch.loader_workers and "
            "fanout.workers."
        )


def descriptor_limit() -> int:
    """Descriptors that this process may have (``ulimit -n``)."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 2**31 if soft == resource.RLIM_INFINITY else soft


def files_to_keep_open(most: int, sharers: int) -> int:
    """How many files one cache of open files may hold.

    Args:
        most: More than this are never worth it.
        sharers: How many such caches a process has at the same time, about.

    Returns:
        At most ``most``, and at least 4 if that allows it.
    """
    return min(most, max((descriptor_limit() - _KEPT_FREE) // sharers, _LEAST))


def most_with_descriptors(each: int) -> int:
    """How many things that need ``each`` descriptors a process can have; at least 1."""
    return max((descriptor_limit() - _KEPT_FREE) // each, 1)


def is_out_of_descriptors(error: BaseException) -> bool:
    """Whether a file could not be opened because too many others are open, in this process or in all."""
    return isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE)
