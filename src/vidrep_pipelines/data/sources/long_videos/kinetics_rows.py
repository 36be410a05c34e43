"""The list of Kinetics-400 videos that CARL is pretrained on: relative path and label, without a header."""

from pathlib import Path, PurePosixPath
from typing import NamedTuple

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.common.foreign_number import whole_number
from vidrep_pipelines.common.foreign_text import Row, read_foreign_rows

_REMEDY = "Correct the line, or name the list of relative paths and labels that CARL's authors publish."

DAMAGED = frozenset(
    {
        "blowing out candles/4o5v7aDXU9k_000000_000010.mp4",
        "bandaging/HvaU7W635to_000853_000863.mp4",
        "lunge/pNvkk7VDOws_000001_000011.mp4",
        "marching/uLaU_15HYdo_000002_000012.mp4",
    }
)
"""Videos that the authors left out; anything else that cannot be decoded is found by decoding it."""


class KineticsRow(NamedTuple):
    """One video.

    Attributes:
        path: Relative to the folder of the list.
        label: Number of its class, which the training does not use.
    """

    path: PurePosixPath
    label: int


def read_kinetics_rows(path: Path) -> list[KineticsRow]:
    """Reads the list without the damaged videos, in its order.

    Raises:
        InputError: The file is missing, empty, or a line is no ``path,label``.
    """
    rows = [_row(row, path) for row in read_foreign_rows(path, _REMEDY)]
    if not rows:
        raise InputError(f"{path} names no videos.")
    return [row for row in rows if "/".join(row.path.parts[-2:]) not in DAMAGED]


def missing_videos(root: Path, rows: list[KineticsRow]) -> list[PurePosixPath]:
    """Which files of the list are not below the folder."""
    return [row.path for row in rows if not (root / row.path).is_file()]


def _row(row: Row, path: Path) -> KineticsRow:
    place = f"{path}, line {row.number}"
    if row.problem:
        raise InputError(f"{place} {row.problem}. {_REMEDY}")
    if len(row.cells) != 2 or not row.cells[0]:
        raise InputError(f"{place}: {','.join(row.cells)!r} is no path,label. {_REMEDY}")
    relative = PurePosixPath(row.cells[0])
    if relative.is_absolute() or ".." in relative.parts:
        raise InputError(f"{place}: {relative} points out of the folder of videos. {_REMEDY}")
    try:
        return KineticsRow(relative, whole_number(row.cells[1], "the label", least=-1))
    except InputError as error:
        raise InputError(f"{place}: {error}. {_REMEDY}") from error
