"""What is in a folder, on a local disk or elsewhere."""

import logging
import os
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Literal, NamedTuple, Protocol

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.common.text import is_utf8
from vidrep_pipelines.data.files.foreign_listing import is_hidden

_log = logging.getLogger(__name__)


class Entry(NamedTuple):
    """A file or folder in a folder.

    Attributes:
        name: Its name alone.
        kind: ``link`` is a link to a folder; links to files are files.
        bytes: Size of a file; 0 for a broken link.
        mtime_ns: Time of a file's last change in nanoseconds; 0 if not known.
        etag: An object store's mark of the content; empty elsewhere.
    """

    name: str
    kind: Literal["file", "folder", "link"]
    bytes: int = 0
    mtime_ns: int = 0
    etag: str = ""


class Unlisted(NamedTuple):
    """What could not be listed.

    Attributes:
        path: Relative to the root; bytes that are no text are escaped.
        reason: Why.
    """

    path: str
    reason: str


class Folders(Protocol):
    """The folders below a root.

    Attributes:
        unlisted: What had to be left out so far.
    """

    unlisted: list[Unlisted]

    def entries(self, folder: PurePosixPath, wanted: Callable[[str], bool]) -> list[Entry]:
        """The visible subfolders, and the files with a wanted name, in any order.

        Nothing if the folder cannot be read or was looked at before.
        """
        ...


class LocalFolders:
    """The folders below a folder on a (mounted) disk.

    Args:
        root: The folder.

    Raises:
        InputError: It is no readable folder.
    """

    def __init__(self, root: Path) -> None:
        _require_folder(root)
        self.unlisted: list[Unlisted] = []
        self._root = root
        self._visited: set[tuple[int, int]] = set()

    def entries(self, folder: PurePosixPath, wanted: Callable[[str], bool]) -> list[Entry]:
        """See :class:`Folders`."""
        try:
            status = (self._root / folder).stat()
            if (status.st_dev, status.st_ino) in self._visited:
                return []
            self._visited.add((status.st_dev, status.st_ino))
            with os.scandir(self._root / folder) as scan:
                visible = [entry for entry in scan if not is_hidden(entry.name)]
        except OSError as error:
            leave_out(self, folder, f"the folder cannot be read: {error.strerror}")
            return []
        for entry in visible:
            if not is_utf8(entry.name):
                leave_out(self, folder / entry.name, "its name is not valid UTF-8; rename it")
        described = (_described(entry, wanted) for entry in visible if is_utf8(entry.name))
        return [entry for entry in described if entry is not None]


def leave_out(folders: Folders, path: PurePosixPath, reason: str) -> None:
    """Records what cannot be listed, and says so."""
    text = str(path).encode(errors="backslashreplace").decode()
    folders.unlisted.append(Unlisted(text, reason))
    _log.warning("%s is left out: %s.", text, reason)


def _described(entry: os.DirEntry[str], wanted: Callable[[str], bool]) -> Entry | None:
    try:
        if entry.is_dir():
            return Entry(entry.name, "link" if entry.is_symlink() else "folder")
    except OSError:  # a link to itself is no folder
        pass
    if not wanted(entry.name):
        return None
    try:
        if not entry.is_file() and not entry.is_symlink():
            return None  # a pipe or a device
        status = entry.stat()
    except OSError:
        # A broken link is listed, so that it is reported like any other file that cannot be opened.
        return Entry(entry.name, "file")
    return Entry(entry.name, "file", status.st_size, status.st_mtime_ns) if entry.is_file() else None


def _require_folder(root: Path) -> None:
    if not root.exists():
        raise InputError(
            f"ingest.root: there is no folder {root}. Create it or set the parameter to another one."
        )
    if not root.is_dir():
        raise InputError(
            f"ingest.root: {root} is a file. Set the parameter to the folder that holds the videos."
        )
    try:
        with os.scandir(root):
            pass
    except OSError as error:
        raise InputError(f"ingest.root: {root} cannot be listed: {error.strerror}.") from error
