"""Class numbers, and the list of labelled clips in the format of the published preparation."""

import pickle
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from vidrep_pipelines.common.atomic import atomic_file
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.common.restricted_pickle import load_plain_pickle
from vidrep_pipelines.data.tables.table import Rows, as_table

LABEL_LIST_NAMES = ("label_full_1.0.pickle", "label_1.0.pickle")
"""The published script writes the first name, the published data set opens the second."""

_PROTOCOL = 3
"""Every Python 3 reads it, and a list's rows follow its beginning without their number."""

_BEGINNING = pickle.dumps([], _PROTOCOL)[:-1]
_ROWS_AT_ONCE = 1000


class LabelledClip(NamedTuple):
    """One clip of a label list.

    Attributes:
        class_id: Number of the class, from 0.
        path: Path of the video relative to the data folder, with ``/``.
    """

    class_id: int
    path: str


@dataclass(frozen=True)
class LabelRows:
    """The label list of a table of clips; its rows are made while one goes through them.

    Attributes:
        clips: Columns ``class_id`` and ``path``.
        folder: Name of the folder of clips below the data folder.
    """

    clips: Rows
    folder: str

    def __iter__(self) -> Iterator[LabelledClip]:
        for batch in as_table(self.clips).batches(["class_id", "path"]):
            numbers, paths = (column.to_pylist() for column in batch.columns)
            for number, path in zip(numbers, paths, strict=True):
                yield LabelledClip(number, f"{self.folder}/{path}")


def class_ids(names: Iterable[str]) -> dict[str, int]:
    """Numbers the distinct class names in sorted order, so that every machine gives the same numbers."""
    return {name: number for number, name in enumerate(sorted(set(names)))}


def read_label_list(path: Path) -> list[LabelledClip]:
    """Reads a label list without executing anything that a pickle may ask for.

    Args:
        path: The pickle, or a folder that holds one under either published name.

    Raises:
        InputError: There is none, it is damaged or malicious, or it is no list of (number, relative path).
    """
    file = _label_file(Path(path))
    rows = load_plain_pickle(file)
    if not isinstance(rows, list):
        raise InputError(
            f"{file} holds a {type(rows).__name__} where a list of (class number, path) is expected."
        )
    return [_checked(row, number, file) for number, row in enumerate(rows)]


def write_label_list(rows: Iterable[tuple[int, str]], path: Path) -> Path:
    """Writes a label list that the published code can load.

    Args:
        rows: (class number, relative path).
        path: The pickle to write; for an existing folder, ``label_full_1.0.pickle`` in it.

    Returns:
        The file that was written.

    Raises:
        InputError: A row is no (number, relative path).
    """
    file = path / LABEL_LIST_NAMES[0] if path.is_dir() else path
    with atomic_file(file) as temporary, temporary.open("wb") as stream:
        stream.write(pickle.PROTO + bytes([_PROTOCOL]) + pickle.EMPTY_LIST)
        pairs, done = map(tuple, rows), 0
        while piece := list(islice(pairs, _ROWS_AT_ONCE)):
            for number, pair in enumerate(piece, done):
                _check(pair, number, file)
            # A short list's pickle without its beginning and its end: the whole list is never in memory.
            stream.write(pickle.dumps(piece, _PROTOCOL)[len(_BEGINNING) : -1])
            done += len(piece)
        stream.write(pickle.STOP)
    return file


def _label_file(path: Path) -> Path:
    if not path.is_dir():
        return path
    candidates = [path / name for name in LABEL_LIST_NAMES if (path / name).is_file()]
    if not candidates:
        raise InputError(
            f"{path} holds no label list ({' or '.join(LABEL_LIST_NAMES)}). Run label_filter first."
        )
    return candidates[0]


def _checked(row: Any, number: int, file: Path) -> LabelledClip:
    _check(row, number, file)
    return LabelledClip(*row)


def _check(row: Any, number: int, file: Path) -> None:
    problem = _problem(row)
    if problem:
        raise InputError(
            f"{file}: row {number} {problem}; expected is (class number, relative path). Remedy: take the "
            "list as it was published, or as label_filter writes it."
        )


def _problem(row: Any) -> str:
    if not isinstance(row, tuple | Sequence) or isinstance(row, str | bytes) or len(row) != 2:
        return "is no pair"
    class_id, path = row
    if not isinstance(class_id, int) or isinstance(class_id, bool) or class_id < 0:
        return f"has the class number {class_id!r}"
    if not isinstance(path, str) or not path:
        return f"has the path {path!r}"
    if path.startswith("/") or (".." in path and ".." in path.split("/")):
        return f"points out of the data folder ({path!r})"
    return ""
