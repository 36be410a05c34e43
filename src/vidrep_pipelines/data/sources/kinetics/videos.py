"""Kinetics as published: flat archives of clips, which a table of annotations sorts into classes.

Source: Kay et al., "The Kinetics Human Action Video Dataset" (arXiv 1705.06950), files of the CVDF mirror.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NamedTuple, cast

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.common.foreign_number import whole_number
from vidrep_pipelines.common.foreign_text import ForeignRow, read_foreign_rows
from vidrep_pipelines.data.files.foreign_listing import stem_of
from vidrep_pipelines.data.files.listing import VIDEO_SUFFIXES, list_videos, with_absolute_paths
from vidrep_pipelines.data.sources.kinetics.annotations import read_annotations
from vidrep_pipelines.data.tables.table import LazyTable, Rows

REPLACEMENT_FOLDER = "replacement_for_corrupted_k400"
"""Folder in the archive of substitutes for clips that are damaged in the main archives."""

_SUFFIXES = tuple(sorted(VIDEO_SUFFIXES))
_IDENTIFIER_LENGTH = 11
"""Characters of a YouTube identifier, with which the name of every clip begins."""


def list_classified_videos(
    root: str | Path,
    suffixes: Collection[str],
    annotations: Path | None,
    split: str | None,
    rows: Path | None = None,
) -> tuple[Rows, pd.DataFrame]:
    """The video files below a folder with their class names, and what was left out.

    Args:
        root: The folder, or the address of one in an object store.
        suffixes: Endings of the files.
        annotations: Table of the clips' classes. None: the folders that files lie in are the classes.
        split: The part of the table that is used. None: all.
        rows: A list of the files that are used, see :func:`read_kinetics_rows`. None: all.

    Returns:
        One row per file, with its absolute path; and rows id, path, reason of the others.

    Raises:
        InputError: There is no video, or the table cannot be read.
    """
    listing = list_videos(root, suffixes)
    files, videos = listing.videos, cast(Rows, listing.videos)
    left_out = pd.DataFrame(listing.unlisted, columns=["path", "reason"], dtype="string")
    left_out.insert(0, "id", left_out["path"])
    if rows is not None:
        files, others = only_listed(files, rows)
        videos = files
        left_out = pd.concat([others, left_out], ignore_index=True)
    if annotations is not None:
        table = read_annotations(annotations, split)
        assignment = assign_classes(files.to_pandas(), table.clips)
        videos = assignment.clips
        left_out = pd.concat([assignment.unknown, table.left_out, left_out], ignore_index=True)
    return with_absolute_paths(videos, root), left_out.astype("string")


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


def assign_classes(listing: pd.DataFrame, annotations: pd.DataFrame) -> ClassAssignment:
    """Sorts clips from flat or nested folders into classes, by their file names.

    The id of a clip becomes ``class/name``, so that later steps write class folders. A clip below a folder
    named :data:`REPLACEMENT_FOLDER` stands in for the one of the same name, or of the same YouTube
    identifier where the table has only one such clip; it does not become a class of its own, as it does in
    the preparation published with RSP (Jang et al. 2024).

    Args:
        listing: Columns ``id``, ``path`` and ``class_name``, as ``list_videos`` returns. Names may have two
            suffixes (``x.mp4.webm``), as downloaders write them.
        annotations: Columns ``name`` and ``class_name``, as ``read_annotations`` gives them. A clip without
            a class keeps its name alone as ``id``.
    """
    paths = listing["path"].map(PurePosixPath)
    replaces = paths.map(lambda path: REPLACEMENT_FOLDER in path.parent.parts).astype(bool)
    names = paths.map(lambda path: stem_of(path.name, _SUFFIXES)).astype("string")
    names = names.where(~replaces | names.isin(annotations["name"]), _by_identifier(names, annotations))
    classes = names.map(annotations.set_index("name")["class_name"]).astype("string")
    clips = listing.assign(
        id=(classes + "/" + names).str.removeprefix("/"),
        class_name=classes,
        place=listing["id"],
        replaces=replaces,
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


_ROWS_REMEDY = "Correct the line, or name the list of relative paths and labels that CARL's authors publish."

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
    rows = [_row(row, path) for row in read_foreign_rows(path, _ROWS_REMEDY)]
    if not rows:
        raise InputError(f"{path} names no videos.")
    return [row for row in rows if "/".join(row.path.parts[-2:]) not in DAMAGED]


def _row(row: ForeignRow, path: Path) -> KineticsRow:
    place = f"{path}, line {row.number}"
    if row.problem:
        raise InputError(f"{place} {row.problem}. {_ROWS_REMEDY}")
    if len(row.cells) != 2 or not row.cells[0]:
        raise InputError(f"{place}: {','.join(row.cells)!r} is no path,label. {_ROWS_REMEDY}")
    relative = PurePosixPath(row.cells[0])
    if relative.is_absolute() or ".." in relative.parts:
        raise InputError(f"{place}: {relative} points out of the folder of videos. {_ROWS_REMEDY}")
    try:
        return KineticsRow(relative, whole_number(row.cells[1], "the label", least=-1))
    except InputError as error:
        raise InputError(f"{place}: {error}. {_ROWS_REMEDY}") from error


def only_listed(videos: LazyTable, path: Path) -> tuple[LazyTable, pd.DataFrame]:
    """The videos that a list of rows names, and those that it names and that are not there.

    Args:
        videos: A listing, with paths relative to the folder that the list's are relative to.
        path: The list.

    Returns:
        The rows of the listing, and rows ``id, path, reason`` of the others in the list.

    Raises:
        InputError: The list cannot be read, or none of its videos is there.
    """
    named = [str(row.path) for row in read_kinetics_rows(path)]
    wanted = pa.array(dict.fromkeys(named), videos.schema.field("path").type)

    def kept() -> Iterator[pa.RecordBatch]:
        for batch in videos.batches():
            yield batch.filter(pc.is_in(batch["path"], wanted))

    there = {name for batch in kept() for name in batch["path"].to_pylist()}
    if not there:
        raise InputError(
            f"ingest.rows: none of the {len(named)} videos that {path} names is below ingest.root. Remedy: "
            "the list's paths are relative to that folder; name the folder that they begin in."
        )
    absent = [name for name in dict.fromkeys(named) if name not in there]
    reason = f"{path.name} names it, but there is no such file"
    left_out = pd.DataFrame({"id": absent, "path": absent, "reason": reason}, dtype="string")
    return LazyTable(videos.schema, kept), left_out
