"""Videos with labels for some of their frames: a table of them, and handles that read them."""

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vidrep_pipelines.common.arrays import Pixels
from vidrep_pipelines.common.digest import digest_of
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.files.foreign_listing import files_by_stem, list_files, size_and_time
from vidrep_pipelines.data.label_sequences.images import (
    FRAME_SUFFIXES,
    LABEL_SUFFIX,
    is_two_tone,
    read_frame,
    read_labels,
    read_two_tone,
)
from vidrep_pipelines.data.label_sequences.joint_file import read_joints

SEQUENCE_COLUMNS = {
    "id": "string",
    "frames": "Int32",
    "width": "Int32",
    "height": "Int32",
    "objects": "Int32",
    "frame_folder": "string",
    "label_path": "string",
    "digest": "string",
    "error": "string",
}
"""Columns of a table of sequences. ``objects``: objects (DAVIS), joints (JHMDB) or classes besides background
(VIP) in the first frame. ``digest``: changes with the files. ``error``: why a sequence cannot be evaluated;
then the numbers and paths are empty."""


_SEQUENCE_SUFFIXES = (*FRAME_SUFFIXES, LABEL_SUFFIX)


@dataclass(frozen=True)
class SequenceFiles:
    """Where a sequence lies; opens nothing.

    Attributes:
        id: Its name in reports and folders.
        frame_folder: Folder of its frames; their order is that of the numbers in their names.
        label_path: Folder of its label maps, or file of its joints.
    """

    id: str
    frame_folder: Path
    label_path: Path

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> "SequenceFiles":
        """Where the sequence of a row of the table lies."""
        return cls(row["id"], Path(row["frame_folder"]), Path(row["label_path"]))

    @property
    def digest(self) -> str:
        """Changes when a file is added, removed, replaced or touched."""
        return digest_of(*(_stamps(path) for path in (self.frame_folder, self.label_path)))


def build_sequence_table(
    outcome: pd.DataFrame, files: Iterable[SequenceFiles], inspection: Path
) -> pd.DataFrame:
    """One row per sequence, those that cannot be evaluated included.

    Args:
        outcome: The manifest of the inspection: id, digest, error and the facts of ``SEQUENCE_COLUMNS``.
        files: Where the sequences that can be evaluated lie now. Manifests of earlier versions say where they
            were when they were inspected, which is another place once the release was moved or copied.
        inspection: Folder of that manifest, named where files have gone since.

    Returns:
        Columns and types of ``SEQUENCE_COLUMNS``, also where no sequence could be read.

    Raises:
        InputError: A sequence that was inspected is none of ``files``.
    """
    places = {one.id: one for one in files}
    facts = outcome.reindex(columns=list(SEQUENCE_COLUMNS))
    rows = [_placed(row, places, inspection) for row in facts.to_dict("records")]
    return pd.DataFrame(rows, columns=list(SEQUENCE_COLUMNS)).astype(SEQUENCE_COLUMNS)


@dataclass(frozen=True)
class MaskSequence:
    """A video with label maps (DAVIS, VIP). Reads a file when it is asked for it; picklable.

    Attributes:
        id: Name of the sequence.
        frame_paths: (T) images.
        label_paths: (T) label maps; None where a frame has none (only in VIP, never the first).
    """

    id: str
    frame_paths: tuple[Path, ...]
    label_paths: tuple[Path | None, ...]

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> "MaskSequence":
        """The sequence of a row of the table."""
        return cls.of_files(SequenceFiles.of(row))

    @classmethod
    def of_files(cls, files: SequenceFiles) -> "MaskSequence":
        """The sequence that lies there."""
        frames = files_by_stem(files.frame_folder, FRAME_SUFFIXES)
        labels = files_by_stem(files.label_path, (LABEL_SUFFIX,))
        return cls(files.id, tuple(frames.values()), tuple(labels.get(stem) for stem in frames))

    def __len__(self) -> int:
        return len(self.frame_paths)

    def frame(self, index: int) -> Pixels:
        """A frame (H, W, 3), RGB.

        Raises:
            InputError: The file is gone or damaged.
        """
        return read_frame(self.frame_paths[index])

    def labels(self, index: int) -> Pixels | None:
        """The label map (H, W) of a frame; None where it has none.

        Raises:
            InputError: The file is gone, damaged, or holds no indices.
        """
        path = self.label_paths[index]
        if path is None:
            return None
        return read_two_tone(path) if self.two_tone else read_labels(path)

    @cached_property
    def two_tone(self) -> bool:
        """Whether the first mask, and so all, is black and white (DAVIS-2016): then the object is 1."""
        first = self.label_paths[0]
        return first is not None and is_two_tone(first)


@dataclass(frozen=True)
class KeypointSequence:
    """A video with joint positions (JHMDB). Reads a file when it is asked for it; picklable.

    Attributes:
        id: Name of the sequence.
        frame_paths: (T) images.
        joints_path: The .mat file.
    """

    id: str
    frame_paths: tuple[Path, ...]
    joints_path: Path

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> "KeypointSequence":
        """The sequence of a row of the table."""
        return cls.of_files(SequenceFiles.of(row))

    @classmethod
    def of_files(cls, files: SequenceFiles) -> "KeypointSequence":
        """The sequence that lies there."""
        frames = files_by_stem(files.frame_folder, FRAME_SUFFIXES)
        return cls(files.id, tuple(frames.values()), files.label_path)

    def __len__(self) -> int:
        return len(self.frame_paths)

    def frame(self, index: int) -> Pixels:
        """A frame (H, W, 3), RGB.

        Raises:
            InputError: The file is gone or damaged.
        """
        return read_frame(self.frame_paths[index])

    def joints(self) -> NDArray[np.float64]:
        """Joint positions (2, K, T): x and y as stored, pixels counted from 1, also outside the image.

        NaN where a joint is missing.

        Raises:
            InputError: The file is gone or damaged.
        """
        return read_joints(self.joints_path)


def usable(table: pd.DataFrame) -> pd.DataFrame:
    """The rows that can be evaluated.

    Raises:
        InputError: There is none.
    """
    rows = table[table["error"].isna()]
    if rows.empty:
        reasons = "; ".join(table["error"].dropna().unique()[:3]) or "the list is empty"
        raise InputError(f"None of {len(table)} sequences can be evaluated: {reasons}")
    return rows


def evaluated_rows(table: pd.DataFrame) -> dict[str, dict[str, str]]:
    """What worker processes need of the sequences that can be evaluated, by id.

    Raises:
        InputError: There is none.
    """
    fields = ("id", "frames", "frame_folder", "label_path", "digest")
    rows = usable(table)[list(fields)].astype(str)
    return {str(row["id"]): {field: row[field] for field in fields} for row in rows.to_dict("records")}


def _stamps(path: Path) -> list[tuple[str, int, int]]:
    try:
        files = list_files(path, _SEQUENCE_SUFFIXES) if path.is_dir() else [path] if path.exists() else []
    except InputError:  # a folder that cannot be read, which the inspection of this sequence reports
        return []
    return [(file.name, *size_and_time(file)) for file in files]


def _placed(
    row: Mapping[Hashable, Any], places: Mapping[str, SequenceFiles], inspection: Path
) -> dict[Hashable, Any]:
    """A row of the table with the places of its files; none for a sequence that cannot be evaluated."""
    if not pd.isna(row["error"]):
        return {**row, "frame_folder": None, "label_path": None}
    if row["id"] not in places:
        raise InputError(
            f"{inspection} is of another list: it has {row['id']}, which is not in the present one. Remedy: "
            "run the whole pipeline, not from a later node on."
        )
    files = places[row["id"]]
    return {
        **row,
        "frame_folder": str(files.frame_folder),
        "label_path": str(files.label_path),
        "error": _lost(files, int(row["frames"]), inspection),
    }


def _lost(files: SequenceFiles, frames: int, inspection: Path) -> str | None:
    """What is wrong with the files of a sequence that was all right when it was inspected."""
    count = len(files_by_stem(files.frame_folder, FRAME_SUFFIXES))
    if count == frames and files.label_path.exists():
        return None
    return (
        f"{files.frame_folder} had {frames} frames and now has {count}, or its labels are "
        f"gone. Remedy: delete {inspection} and run the pipeline again."
    )
