"""What people have in their folders: the one place that lists files which the project did not write.

Disks are shared between systems that leave files of their own (``._name`` beside every file from a Mac,
folders of thumbnails), tools write numbers without leading zeros, and downloaders put a second suffix behind
the first.
"""

import logging
import os
import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.common.text import is_utf8

_SYSTEM_FOLDERS = frozenset({"__MACOSX", "@eaDir", "$RECYCLE.BIN", "System Volume Information", "lost+found"})
_NUMBER = re.compile("([0-9]+)")

_log = logging.getLogger(__name__)


def is_hidden(name: str) -> bool:
    """Whether a file or folder is no content: its name begins with a dot, or an operating system made it."""
    return name.startswith(".") or name in _SYSTEM_FOLDERS


def natural_key(text: str) -> tuple[tuple[str | int, ...], str]:
    """Sorts by numbers as numbers (1, 2, 10), also within names; equal numbers (1, 01) by the text."""
    words = _NUMBER.split(text)
    return tuple(int(word) if place % 2 else word for place, word in enumerate(words)), text


def stem_of(name: str, suffixes: Sequence[str]) -> str:
    """A name without its suffixes: ``id.mp4`` and ``id.mp4.webm`` are both ``id``.

    Args:
        name: Name of a file.
        suffixes: Lower-case endings that are taken off as often as they are there, in any case of letters.
    """
    while ending := next(
        (one for one in suffixes if name.lower().endswith(one) and len(name) > len(one)), ""
    ):
        name = name[: -len(ending)]
    return name


def list_files(folder: Path, suffixes: Sequence[str]) -> list[Path]:
    """The visible files of a folder with one of the endings, in natural order; empty if there is no folder.

    Broken links are listed, so that they are reported like other files that cannot be opened.

    Args:
        folder: Only itself, not what is below.
        suffixes: Lower-case endings with the dot; letters in names may be of any case.

    Raises:
        InputError: The folder cannot be read.
    """
    named = [
        entry.name for entry in _visible(folder) if _ends(entry.name, suffixes) and not _is_folder(entry)
    ]
    return [folder / name for name in sorted(named, key=lambda name: _order(name, suffixes))]


def list_folders(folder: Path) -> list[Path]:
    """The visible folders in a folder, in natural order; empty if there is no folder.

    Raises:
        InputError: The folder cannot be read.
    """
    named = [entry.name for entry in _visible(folder) if _is_folder(entry)]
    return [folder / name for name in sorted(named, key=natural_key)]


def list_files_below(folder: Path, suffixes: Sequence[str]) -> list[Path]:
    """The visible files with one of the endings at any depth, each folder's own files first.

    Linked folders are not followed.

    Raises:
        InputError: A folder cannot be read.
    """
    paths = list_files(folder, suffixes)
    for below in list_folders(folder):
        if not below.is_symlink():
            paths += list_files_below(below, suffixes)
    return paths


def files_by_stem(folder: Path, suffixes: Sequence[str]) -> dict[str, Path]:
    """Visible files by name without suffixes, in natural order; empty if there is no folder.

    Of several files with one stem, that with a single suffix is taken, and of these that whose suffix comes
    first.

    Raises:
        InputError: The folder cannot be read.
    """
    paths: dict[str, Path] = {}
    for path in list_files(folder, suffixes):
        paths.setdefault(stem_of(path.name, suffixes), path)
    return paths


def size_and_time(path: Path) -> tuple[int, int]:
    """Bytes, and nanoseconds of the last change, by which a replaced file is known.

    A broken link, which lists hold, has -1 and 0: whoever opens it says what is wrong.
    """
    try:
        status = path.stat()
    except OSError:
        return -1, 0
    return status.st_size, status.st_mtime_ns


def first_gap(stems: Sequence[str]) -> tuple[str, str] | None:
    """The first two neighbors whose numbers do not follow one another; None if there are none.

    Args:
        stems: Stems in natural order. Those that are no plain numbers are not looked at.
    """
    numbers = [stem for stem in stems if _is_number(stem)]
    return next((pair for pair in pairwise(numbers) if int(pair[1]) != int(pair[0]) + 1), None)


def require_no_gap(folder: Path, stems: Sequence[str], remedy: str, begins_by: int | None = None) -> None:
    """Refuses frames of which some are missing.

    Args:
        folder: Where they are, for the message.
        stems: Their names without suffixes, see :func:`first_gap`.
        remedy: What to do about it.
        begins_by: The largest number that the first frame may have; None: any.

    Raises:
        InputError: Numbers do not follow one another, or those before the first are missing.
    """
    first = next((int(stem) for stem in stems if _is_number(stem)), 0)
    if begins_by is not None and first > begins_by:
        raise InputError(f"{folder} begins with frame {first}: those before are missing. {remedy}")
    gap = first_gap(stems)
    if gap is None:
        return
    before, after = gap
    trouble = "which is the same number" if int(before) == int(after) else "those between are missing"
    raise InputError(f"{folder} has frame {before} and then {after}: {trouble}. {remedy}")


def folder_among(root: Path, names: Sequence[str]) -> Path:
    """The first of several usual names of a folder that is there; the first name if none is."""
    folders = [root / name for name in names]
    return next((folder for folder in folders if folder.is_dir()), folders[0])


def _is_number(stem: str) -> bool:
    return stem.isascii() and stem.isdigit()


def _ends(name: str, suffixes: Sequence[str]) -> bool:
    return name.lower().endswith(tuple(suffixes))


def _order(name: str, suffixes: Sequence[str]) -> tuple[tuple[tuple[str | int, ...], str], int, str]:
    """Sorts by stem, then by what was taken off, so that ``a.mp4`` comes before ``a.mp4.webm``."""
    stem = stem_of(name, suffixes)
    rest = name[len(stem) :].lower()
    rank = next((place for place, one in enumerate(suffixes) if rest == one), len(suffixes))
    return natural_key(stem), rank, name


def _visible(folder: Path) -> Iterator["os.DirEntry[str]"]:
    try:
        with os.scandir(folder) as entries:
            visible = [entry for entry in entries if not is_hidden(entry.name)]
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise InputError(
            f"{folder} cannot be listed: {error.strerror}. Correct its rights, or copy it."
        ) from error
    for entry in visible:
        if is_utf8(entry.name):
            yield entry
        else:
            _log.warning(
                "%s/%s is left out: its name is not valid UTF-8; rename it.", folder, ascii(entry.name)
            )


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False
