"""The lists that published data sets come with."""

from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.common.foreign_text import read_foreign_lines
from vidrep_pipelines.common.item_id import is_usable
from vidrep_pipelines.data.label_sequences.images import FRAME_SUFFIXES


def require_root(parameter: str, root: Path, folders: tuple[str, ...], remedy: str) -> None:
    """Checks that a release is where a parameter says.

    Args:
        parameter: Its name, for the message.
        root: Its value.
        folders: What a release has below its root.
        remedy: What to do when it is not there.

    Raises:
        InputError: The root or one of the folders is missing.
    """
    for folder in (root, *(root / folder for folder in folders)):
        if not folder.is_dir():
            raise InputError(f"{parameter}: there is no folder {folder}. {remedy}")


def read_list_rows(path: Path, remedy: str) -> list[list[str]]:
    """The words of each line that has any.

    Raises:
        InputError: The file is missing, no text, or empty.
    """
    try:
        rows = [line.text.split() for line in read_foreign_lines(path, remedy)]
    except InputError as error:
        raise InputError(f"The list {error}") from error
    if not rows:
        raise InputError(f"The list {path} is empty. {remedy}")
    return rows


def read_names(path: Path, remedy: str) -> tuple[str, ...]:
    """The last part of the first path or name in each line, without repetitions.

    Where frames are listed, that is the folder that they are in.

    Raises:
        InputError: The file is missing, no text, or empty, or a name is none of a folder.
    """
    paths = (PurePosixPath(row[0]) for row in read_list_rows(path, remedy))
    names = (one.parent.name if one.suffix.lower() in FRAME_SUFFIXES else one.name for one in paths)
    return tuple(require_names((name for name in names if name), path))


def require_names(names: Iterable[str], path: Path) -> list[str]:
    """The names without repetitions, checked before any folder is looked for below them.

    Args:
        names: Names of sequences, as a list has them.
        path: The list, for the message.

    Raises:
        InputError: One leads out of the release, such as ``..``.
    """
    distinct = list(dict.fromkeys(names))
    strange = [name for name in distinct if not is_usable(name)]
    if strange:
        raise InputError(f"The list {path} names {strange[0]!r}, which is no sequence. Correct the line.")
    return distinct
