"""Finding the videos below a folder."""

import logging
import os
from collections import Counter, deque
from collections.abc import Collection, Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import pandas as pd

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.common.text import is_utf8

VIDEO_SUFFIXES = frozenset(
    {".avi", ".flv", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".ogv", ".ts", ".webm", ".wmv", ".3gp"}
)

_UNFINISHED_STEMS = (".part", ".temp", ".tmp", "~")
_log = logging.getLogger(__name__)


class ListedVideo(NamedTuple):
    """One video file found.

    Attributes:
        id: Name of the clip in every later step: the relative path without its suffix. Files of one folder
            that differ by suffix only keep it.
        class_name: First folder below the root; empty for files in the root itself.
        path: Path relative to the root, with ``/``.
        bytes: Size; 0 for a broken link.
        mtime_ns: Time of the last change in nanoseconds; 0 for a broken link.
    """

    id: str
    class_name: str
    path: str
    bytes: int
    mtime_ns: int


def scan_videos(root: Path, suffixes: Collection[str] = VIDEO_SUFFIXES) -> Iterator[ListedVideo]:
    """Walks through all folders below ``root`` and yields the videos folder by folder, in a fixed order.

    Linked folders are followed, each real folder once, so that loops end. Hidden and unfinished files are
    left out, and what is neither a file nor a link to one. Folders that cannot be read are logged.

    Args:
        root: The folder to search.
        suffixes: Lower-case suffixes of videos, with the dot.

    Raises:
        InputError: ``root`` is no readable folder.
    """
    root = Path(root)
    _require_folder(root)
    folders, linked = deque([PurePosixPath()]), deque[PurePosixPath]()
    visited: set[tuple[int, int]] = set()
    while folders or linked:
        # Links come last, so that a folder is listed under its own name if that is below the root too.
        folder = folders.popleft() if folders else linked.popleft()
        status = _status(root / folder)
        if status is None or (status.st_dev, status.st_ino) in visited:
            continue
        visited.add((status.st_dev, status.st_ino))
        entries = _entries(root / folder)
        yield from _videos(folder, entries, suffixes)
        for entry in entries:
            if _is_folder(entry):
                (linked if entry.is_symlink() else folders).append(folder / entry.name)


def list_videos(root: Path, suffixes: Collection[str] = VIDEO_SUFFIXES) -> pd.DataFrame:
    """Lists all videos below ``root``, sorted by id.

    Returns:
        One row per video with the columns of :class:`ListedVideo`; ids are unique.

    Raises:
        InputError: ``root`` is no readable folder, or there is no video below it.
    """
    rows = list(scan_videos(root, suffixes))
    if not rows:
        raise InputError(
            f"ingest.root: there is no video below {root} (looked for {', '.join(sorted(suffixes))}). "
            "Put videos there, in any depth of folders, or set the parameter to another folder."
        )
    return pd.DataFrame(rows).sort_values("id", ignore_index=True)


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


def _status(folder: Path) -> os.stat_result | None:
    try:
        return folder.stat()
    except OSError as error:
        _log.warning("%s is left out: %s.", folder, error.strerror)
        return None


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    """The visible entries of a folder, sorted by name."""
    try:
        with os.scandir(folder) as scan:
            entries = [entry for entry in scan if not entry.name.startswith(".")]
    except OSError as error:
        _log.warning("%s is left out: %s.", folder, error.strerror)
        return []
    for entry in [entry for entry in entries if not is_utf8(entry.name)]:
        _log.warning("%r in %s is left out: its name is not valid UTF-8. Rename it.", entry.name, folder)
        entries.remove(entry)
    return sorted(entries, key=lambda entry: entry.name)


def _videos(
    folder: PurePosixPath, entries: list[os.DirEntry[str]], suffixes: Collection[str]
) -> Iterator[ListedVideo]:
    found = [entry for entry in entries if _is_video(entry, suffixes)]
    stems = Counter(PurePosixPath(entry.name).stem for entry in found)
    names = {entry.name for entry in found}
    for entry in found:
        stem = PurePosixPath(entry.name).stem
        # A stem may also equal another file's whole name ("a.mp4" beside "a.mp4.mov").
        unique = stems[stem] == 1 and stem not in names
        status = _file_status(entry)
        yield ListedVideo(
            id=str(folder / (stem if unique else entry.name)),
            class_name=folder.parts[0] if folder.parts else "",
            path=str(folder / entry.name),
            bytes=status.st_size if status else 0,
            mtime_ns=status.st_mtime_ns if status else 0,
        )


def _is_video(entry: os.DirEntry[str], suffixes: Collection[str]) -> bool:
    name = PurePosixPath(entry.name)
    if name.suffix.lower() not in suffixes or name.stem.endswith(_UNFINISHED_STEMS):
        return False
    try:
        # A broken link is listed, so that it is reported like any other file that cannot be opened.
        return entry.is_file() or (entry.is_symlink() and not Path(entry.path).exists())
    except OSError:  # a link to itself is broken, too
        return True


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _file_status(entry: os.DirEntry[str]) -> os.stat_result | None:
    try:
        return entry.stat()
    except OSError:
        return None
