"""Kinetics as published: flat archives of clips, which a table of annotations sorts into classes.

Source: Kay et al., "The Kinetics Human Action Video Dataset" (arXiv 1705.06950), files of the CVDF mirror.
"""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pandas as pd

from vidrep_pipelines.data.files.foreign_listing import stem_of
from vidrep_pipelines.data.files.listing import VIDEO_SUFFIXES, list_videos, with_absolute_paths
from vidrep_pipelines.data.sources.kinetics.annotations import read_annotations
from vidrep_pipelines.data.tables.table import Rows

REPLACEMENT_FOLDER = "replacement_for_corrupted_k400"
"""Folder in the archive of substitutes for clips that are damaged in the main archives."""

_SUFFIXES = tuple(sorted(VIDEO_SUFFIXES))
_IDENTIFIER_LENGTH = 11
"""Characters of a YouTube identifier, with which the name of every clip begins."""


def list_classified_videos(
    root: str | Path, suffixes: Collection[str], annotations: Path | None, split: str | None
) -> tuple[Rows, pd.DataFrame]:
    """The video files below a folder with their class names, and what was left out.

    Args:
        root: The folder, or the address of one in an object store.
        suffixes: Endings of the files.
        annotations: Table of the clips' classes. None: the folders that files lie in are the classes.
        split: The part of the table that is used. None: all.

    Returns:
        One row per file, with its absolute path; and rows id, path, reason of the others.

    Raises:
        InputError: There is no video, or the table cannot be read.
    """
    listing = list_videos(root, suffixes)
    videos: Rows = listing.videos
    left_out = pd.DataFrame(listing.unlisted, columns=["path", "reason"], dtype="string")
    left_out.insert(0, "id", left_out["path"])
    if annotations is not None:
        table = read_annotations(annotations, split)
        assignment = assign_classes(listing.videos.to_pandas(), table.clips)
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
