"""Files that are kept open: as many as the system lets this process have, not a number set here."""

import errno
import resource
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from typing import Generic, Protocol, TypeVar

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


class _Closable(Protocol):
    def close(self) -> None: ...


_File = TypeVar("_File", bound=_Closable)


class OpenFilesCache(Mapping[str, _File], Generic[_File]):
    """The files used last, by name and kept open; the one used last is at the end.

    A new file takes the place of the one that was not used for longest. When the process has no descriptor
    left for it, half of the files are given up.

    Args:
        most: More files than this are never kept open.
        sharers: How many such caches a process has at the same time, about.
    """

    def __init__(self, most: int, sharers: int) -> None:
        self._most, self._sharers = most, sharers
        self._files: OrderedDict[str, _File] = OrderedDict()

    def __getitem__(self, name: str) -> _File:
        return self._files[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)

    def opened(self, name: str, open_file: Callable[[str], _File]) -> _File:
        """The file of this name; it is opened unless it is open.

        Args:
            name: The file's name.
            open_file: Opens it; raises TooManyOpenFilesError where no descriptor is left.

        Raises:
            TooManyOpenFilesError: Others have all descriptors of this process.
        """
        file = self._files.get(name)
        if file is None:
            self._close_oldest(down_to=files_to_keep_open(self._most, self._sharers) - 1)
            file = self._files[name] = self._opened_with_room(name, open_file)
        else:
            self._files.move_to_end(name)
        return file

    def close(self) -> None:
        """Closes all files."""
        self._close_oldest(down_to=0)

    def _opened_with_room(self, name: str, open_file: Callable[[str], _File]) -> _File:
        while True:
            try:
                return open_file(name)
            except TooManyOpenFilesError:
                if not self._files:
                    raise
                self._close_oldest(down_to=len(self._files) // 2)

    def _close_oldest(self, down_to: int) -> None:
        while len(self._files) > down_to:
            self._files.popitem(last=False)[1].close()
