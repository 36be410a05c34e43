"""Kinetics as published: a flat archive of clips, and a table that says which class each clip belongs to.

Source: Kay et al., "The Kinetics Human Action Video Dataset" (arXiv 1705.06950), files of the CVDF mirror.
"""

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pandas as pd

from vidrep_pipelines.common.errors import InputError

REPLACEMENT_FOLDER = "replacement_for_corrupted_k400"
"""Folder in the archive of substitutes for clips that are damaged in the main archives."""

_IDENTIFIER_LENGTH = 11
"""Characters of a YouTube identifier, with which the name of every clip begins."""

_REQUIRED = ("label", "youtube_id", "time_start", "time_end")
_COLUMNS = "label, youtube_id, time_start, time_end, split, is_cc"


@dataclass(frozen=True)
class ClassAssignment:
    """Outcome of :func:`assign_classes`.

    Attributes:
        clips: Rows of the listing whose class is known, with ``class_name`` filled in and the ``id``
            ``class/name``, sorted by it.
        unknown: Rows ``id, path, reason`` of the others, sorted by id.
    """

    clips: pd.DataFrame
    unknown: pd.DataFrame


def class_folder(label: str) -> str:
    """Folder name of a class: ``"playing harp"`` becomes ``"playing_harp"``."""
    return label.strip().replace(" ", "_")


def archive_name(youtube_id: str, time_start: int, time_end: int) -> str:
    """File name, without suffix, of a clip in the archives; times in whole seconds."""
    return f"{youtube_id}_{time_start:06d}_{time_end:06d}"


def read_annotations(path: Path, split: str | None = None) -> pd.DataFrame:
    """Reads the official table.

    Args:
        path: A CSV file with the columns label, youtube_id, time_start, time_end, split, is_cc (the last two
            may be absent).
        split: Keeps the clips of one split only, for example ``"train"``.

    Returns:
        One row per clip: ``name`` (see :func:`archive_name`), ``class_name``, and ``split`` (empty if the
        table has none).

    Raises:
        InputError: No such file, not a table, a column is missing, a value makes no sense, one clip has two
            classes, or there is no such split. The message names the file and the line.
    """
    table = _read_csv(path)
    missing = [column for column in _REQUIRED if column not in table.columns]
    if missing:
        raise InputError(f"{path} lacks the columns {', '.join(missing)}; expected are {_COLUMNS}.")
    starts, ends = _seconds(table, "time_start", path), _seconds(table, "time_end", path)
    for column in ("label", "youtube_id"):
        _refuse(table[column].str.strip() == "", f"has no {column}", path)
    identifiers = table["youtube_id"].str.strip()
    names = [archive_name(*row) for row in zip(identifiers, starts, ends, strict=True)]
    clips = pd.DataFrame(
        {
            "name": names,
            "class_name": table["label"].map(class_folder),
            "split": table["split"] if "split" in table.columns else "",
        }
    ).drop_duplicates()
    _refuse(clips.duplicated("name"), "gives a clip another class or split than a line before", path)
    return clips.reset_index(drop=True) if split is None else _of_split(clips, split, path)


def assign_classes(listing: pd.DataFrame, annotations: pd.DataFrame) -> ClassAssignment:
    """Sorts clips from flat or nested folders into classes, by their file names.

    The id of a clip becomes ``class/name``, so that later steps write class folders. A clip below a folder
    named :data:`REPLACEMENT_FOLDER` stands in for the one of the same name, or of the same YouTube
    identifier where the table has only one such clip; it does not become a class of its own, as it does in
    the preparation published with RSP (Jang et al. 2024).

    Args:
        listing: Columns ``id``, ``path`` and ``class_name``, as ``list_videos`` returns.
        annotations: As :func:`read_annotations` returns.
    """
    paths = listing["path"].map(PurePosixPath)
    replaces = paths.map(lambda path: REPLACEMENT_FOLDER in path.parent.parts).astype(bool)
    names = paths.map(lambda path: path.stem).astype("string")
    names = names.where(~replaces | names.isin(annotations["name"]), _by_identifier(names, annotations))
    classes = names.map(annotations.set_index("name")["class_name"]).astype("string")
    clips = listing.assign(
        id=classes + "/" + names, class_name=classes, place=listing["id"], replaces=replaces
    ).sort_values(["replaces", "place"], ascending=[False, True])
    unknown = clips["class_name"].isna()
    again = clips.duplicated("id") & ~unknown
    reasons = pd.Series("not in the annotation table", clips.index, dtype="string")
    first = clips[~unknown & ~again].set_index("id")["path"]
    reasons[again] = "replaced by, or the same clip as, " + clips.loc[again, "id"].map(first)
    left_out = clips.assign(id=clips["place"], reason=reasons)[unknown | again].sort_values("id")
    kept = clips[~unknown & ~again].sort_values("id", ignore_index=True)
    return ClassAssignment(
        clips=kept.drop(columns=["place", "replaces"]),
        unknown=left_out[["id", "path", "reason"]].reset_index(drop=True),
    )


def _by_identifier(names: "pd.Series[str]", annotations: pd.DataFrame) -> "pd.Series[str]":
    """The name of the only clip in the table that was cut from the same YouTube video, if there is one."""
    known = annotations["name"].astype("string")
    identifiers = known.str[:_IDENTIFIER_LENGTH]
    single = known[~identifiers.duplicated(keep=False)]
    return names.str[:_IDENTIFIER_LENGTH].map(single.set_axis(identifiers[single.index])).astype("string")


def _read_csv(path: Path) -> pd.DataFrame:
    """Reads all columns as text: an identifier may look like a number, or like a missing value ("NA")."""
    try:
        return pd.read_csv(
            path, dtype=str, keep_default_na=False, encoding="utf-8-sig", skipinitialspace=True
        )
    except FileNotFoundError as error:
        raise InputError(
            f"There is no annotation table {path}. Download it or correct the parameter."
        ) from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error
    except ValueError as error:  # empty files, ragged lines and undecodable bytes
        raise InputError(f"{path} is no table in CSV format: {error}. Expected are {_COLUMNS}.") from error


def _of_split(clips: pd.DataFrame, split: str, path: Path) -> pd.DataFrame:
    if split not in set(clips["split"]):
        present = ", ".join(sorted(set(clips["split"]))) or "none"
        raise InputError(f"{path} has no clip of the split {split!r}; its splits are: {present}.")
    return clips[clips["split"] == split].reset_index(drop=True)


def _seconds(table: pd.DataFrame, column: str, path: Path) -> list[int]:
    numbers = pd.to_numeric(table[column], errors="coerce")
    bad = ~(numbers >= 0) | (numbers % 1 != 0) | (numbers >= 1e6)
    _refuse(bad, f"has no whole number of seconds in {column}", path)
    return [int(number) for number in numbers]


def _refuse(bad: "pd.Series[bool]", complaint: str, path: Path) -> None:
    if bad.any():
        line = int(bad[bad].index[0]) + 2  # lines count from 1, and the first holds the column names
        raise InputError(f"{path}, line {line} {complaint} ({int(bad.sum())} such lines). Correct the table.")
