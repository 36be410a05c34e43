"""The list of Kinetics-400 videos that CARL is pretrained on: relative path and label, without a header."""

import csv
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from vidrep_pipelines.common.errors import InputError

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
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = [_row(row, number, path) for number, row in enumerate(csv.reader(file), start=1) if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} cannot be read as rows of path,label ({error}).") from error
    if not rows:
        raise InputError(f"{path} names no videos.")
    return [row for row in rows if "/".join(row.path.parts[-2:]) not in DAMAGED]


def missing_videos(root: Path, rows: list[KineticsRow]) -> list[PurePosixPath]:
    """Which files of the list are not below the folder."""
    return [row.path for row in rows if not (root / row.path).is_file()]


def _row(row: list[str], number: int, path: Path) -> KineticsRow:
    if len(row) != 2 or not row[0].strip() or not row[1].strip().lstrip("-").isdigit():
        raise InputError(f"{path}, line {number}: {','.join(row)!r} is no path,label.")
    relative = PurePosixPath(row[0].strip())
    if relative.is_absolute() or ".." in relative.parts:
        raise InputError(f"{path}, line {number}: {relative} points out of the folder of videos.")
    return KineticsRow(relative, int(row[1]))
