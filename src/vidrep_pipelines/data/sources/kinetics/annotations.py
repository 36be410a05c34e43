"""Tables of Kinetics' classes, in the forms that circulate.

* the official CSV: label, youtube_id, time_start, time_end, split, is_cc; test lists have no label;
* ``<name of the file> <label>`` in each line, as lists of Kinetics-600 have it;
* ActivityNet's JSON: for every youtube_id ``{"annotations": {"label", "segment": [start, end]}, "subset"}``.

One bad line costs its own clip only.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import pandas as pd

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.common.foreign_number import LONGEST_SECONDS, whole_number
from vidrep_pipelines.common.foreign_text import (
    ForeignRow,
    read_foreign_json,
    read_foreign_lines,
    read_foreign_rows,
)
from vidrep_pipelines.common.item_id import is_usable
from vidrep_pipelines.common.text import folder_name
from vidrep_pipelines.data.files.foreign_listing import stem_of
from vidrep_pipelines.data.files.listing import VIDEO_SUFFIXES

_TIMES = ("youtube_id", "time_start", "time_end")
_REQUIRED = ("label", *_TIMES)
_COLUMNS = "label, youtube_id, time_start, time_end, split, is_cc"
_REMEDY = "Download the annotation table, or correct the parameter annotations."
_SAME_SPLIT = {"validate": "val", "validation": "val", "training": "train", "testing": "test"}
_SHOWN = 5

_log = logging.getLogger(__name__)


class Clip(NamedTuple):
    """What a line says.

    Attributes:
        place: Where it says so: ``line 3``.
        name: File name, without suffix, of the clip; see :func:`archive_name`.
        class_name: See :func:`class_folder`; empty where the table has no labels.
        split: Empty if the table has none.
    """

    place: str
    name: str
    class_name: str
    split: str


class Refused(NamedTuple):
    """A line that is left out.

    Attributes:
        place: Where it is: ``line 3``.
        reason: Goes on after the place: ``has no label``.
    """

    place: str
    reason: str


@dataclass(frozen=True)
class Annotations:
    """Outcome of :func:`read_annotations`.

    Attributes:
        clips: One row ``name, class_name, split`` per clip.
        left_out: Rows ``id, path, reason`` for lines that cannot be used.
    """

    clips: pd.DataFrame
    left_out: pd.DataFrame


def class_folder(label: str) -> str:
    """Folder name of a class: ``"playing harp"`` becomes ``"playing_harp"``."""
    return folder_name(label.strip().replace(" ", "_"))


def archive_name(youtube_id: str, time_start: int, time_end: int) -> str:
    """File name, without suffix, of a clip in the archives; times in whole seconds."""
    return f"{youtube_id}_{time_start:06d}_{time_end:06d}"


def read_annotations(path: Path, split: str | None = None) -> Annotations:
    """Reads a table of any of the forms above.

    Of two lines that give one clip different classes or splits, the first one counts.

    Args:
        path: The table.
        split: Keeps the clips of one split only, for example ``"train"``.

    Raises:
        InputError: There is no such file, it is no such table, none of its lines can be used, or there is no
            such split. The message names the file, and the line where there is one.
    """
    clips: dict[str, Clip] = {}
    refused: list[Refused] = []
    for line in _read(path):
        if isinstance(line, Refused):
            refused.append(line)
        elif (problem := _problem(line, clips.get(line.name))) is not None:
            refused.append(Refused(line.place, problem))
        else:
            clips.setdefault(line.name, line)
    if refused:
        _report(path, refused, len(clips))
    rows = [(clip.name, clip.class_name, clip.split) for clip in clips.values()]
    table = pd.DataFrame(rows, columns=["name", "class_name", "split"], dtype="string")
    left_out = [(f"{path.name}, {line.place}", str(path), f"{line.place} {line.reason}") for line in refused]
    return Annotations(
        table if split is None else _of_split(table, split, path),
        pd.DataFrame(left_out, columns=["id", "path", "reason"], dtype="string"),
    )


def _read(path: Path) -> Iterator[Clip | Refused]:
    if path.suffix.lower() == ".json":
        return _of_json(read_foreign_json(path, _REMEDY), path)
    rows = read_foreign_rows(path, _REMEDY)
    if not rows:
        raise InputError(f"{path} holds nothing but blank lines. {_REMEDY}")
    header, *rows = rows
    columns = [cell.strip("# ").lower() for cell in header.cells]
    missing = [column for column in _REQUIRED if column not in columns]
    if not missing:
        return (_of_row(row, columns) for row in rows)
    if missing == ["label"]:
        _log.warning("%s has no column label: its clips have no class.", path)
        return (_of_row(row, columns) for row in rows)
    lines = read_foreign_lines(path, _REMEDY)
    if PurePosixPath(lines[0].text.split()[0]).suffix.lower() in VIDEO_SUFFIXES:
        return (_of_name(f"line {number}", text) for number, text in lines)
    raise InputError(f"{path} lacks the columns {', '.join(missing)}; expected are {_COLUMNS}. {_REMEDY}")


def _of_row(row: ForeignRow, columns: list[str]) -> Clip | Refused:
    place = f"line {row.number}"
    if row.problem:
        return Refused(place, row.problem)
    if len(row.cells) > len(columns):
        return Refused(place, f"has {len(row.cells)} cells for {len(columns)} columns")
    cells = dict(zip(columns, row.cells, strict=False))
    for column in ("label", "youtube_id"):
        if column in columns and not cells.get(column):
            return Refused(place, f"has no {column}")
    times = []
    for column in _TIMES[1:]:
        try:
            times.append(whole_number(cells.get(column, ""), column, most=int(LONGEST_SECONDS) - 1))
        except InputError as error:
            return Refused(place, f"has no whole number of seconds in {column}: {error}")
    name = archive_name(cells["youtube_id"], *times)
    return Clip(place, name, class_folder(cells.get("label", "")), cells.get("split", ""))


def _of_name(place: str, text: str) -> Clip | Refused:
    """A line ``<name of the file> <label>``."""
    file, *label = text.split(maxsplit=1)
    path = PurePosixPath(file)
    if path.suffix.lower() not in VIDEO_SUFFIXES or not label:
        return Refused(place, f"is no <name of a video> <label>: {text!r}")
    name = stem_of(path.name, tuple(VIDEO_SUFFIXES))
    return Clip(place, name, class_folder(label[0]), "")


def _of_json(content: Any, path: Path) -> Iterator[Clip | Refused]:
    videos = content.get("database", content) if isinstance(content, dict) else None
    if not isinstance(videos, dict) or not videos:
        raise InputError(f"{path} holds no videos by their YouTube identifiers. {_REMEDY}")
    for identifier, video in videos.items():
        place = f"video {identifier}"
        try:
            described = video["annotations"]
            for clip in described if isinstance(described, list) else [described]:
                start, end = (whole_number(time, "its segment") for time in clip["segment"])
                name = archive_name(identifier, start, end)
                yield Clip(
                    place, name, class_folder(str(clip.get("label", ""))), str(video.get("subset", ""))
                )
        except (AttributeError, KeyError, TypeError, ValueError, InputError) as error:
            yield Refused(place, f"is not described as expected ({type(error).__name__}: {error})")


def _problem(clip: Clip, before: Clip | None) -> str | None:
    """Why a line cannot count; none if it can."""
    if before is not None and before[2:] != clip[2:]:
        given = f"{before.class_name!r} {before.split}".strip()
        there = f"{clip.name} is {given} in {before.place}"
        return f"gives a clip another class or split than a line before: {there}"
    item = f"{clip.class_name}/{clip.name}".removeprefix("/")
    if not is_usable(item):
        return (
            f"names a class or a clip that no folder can be called after: {clip.class_name!r}, {clip.name!r}"
        )
    return None


def _report(path: Path, refused: list[Refused], usable: int) -> None:
    first = refused[0]
    if not usable:
        raise InputError(
            f"{path}, {first.place} {first.reason} ({len(refused)} such lines, and no usable one). Correct "
            f"the table. {_REMEDY}"
        )
    for line in refused[:_SHOWN]:
        _log.warning("%s, %s %s. It is left out.", path, line.place, line.reason)
    if len(refused) > _SHOWN:
        _log.warning("%s: %d lines are left out in all, %d are used.", path, len(refused), usable)


def _of_split(clips: pd.DataFrame, split: str, path: Path) -> pd.DataFrame:
    same = clips["split"].replace(_SAME_SPLIT) == _SAME_SPLIT.get(split, split)
    if not same.any():
        present = ", ".join(sorted(set(clips["split"]))) or "none"
        raise InputError(f"{path} has no clip of the split {split!r}; its splits are: {present}.")
    return clips[same].reset_index(drop=True)
