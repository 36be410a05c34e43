"""A typed index of labelled videos: one table row per video, and the label of every frame."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from vidrep_pipelines.common.atomic import atomic_directory
from vidrep_pipelines.common.digest import digest_of
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.hdf5 import create_hdf5, open_hdf5

FrameLabels = NDArray[np.int16]

VIDEO_COLUMNS = {
    "id": "string",
    "split": "string",
    "action": "string",
    "action_label": "int64",
    "classes": "int64",
    "frames": "int64",
    "labelled_frames": "int64",
    "absent_phases": "string",
    "problems": "string",
}
"""Columns of the table: the name in the frame store; the split; the activity and its number (-1: none); how
many labels there can be; frames, and how many of them have a label; phases that the video does not show, such
as ``2,3``; and what was wrong with it, if it could be used all the same."""


@dataclass(frozen=True, eq=False)
class LabelledVideos:
    """Videos in the published order within each split; fractions of a split are its first videos.

    Attributes:
        table: One row per video, see ``VIDEO_COLUMNS``.
        labels: (T,) int16 per video, in the order of the table; -1 where a frame has no label.
    """

    table: pd.DataFrame
    labels: tuple[FrameLabels, ...]

    def __len__(self) -> int:
        return len(self.table)

    @property
    def ids(self) -> list[str]:
        """Names of the videos."""
        names: list[str] = self.table["id"].tolist()
        return names

    @property
    def digest(self) -> str:
        """Changes with any row and any label."""
        rows = self.table.astype(object).where(self.table.notna(), None).to_numpy().tolist()
        return digest_of(rows, [values.tolist() for values in self.labels])

    def of(self, video: str) -> FrameLabels:
        """(T,) labels of a video.

        Raises:
            InputError: There is no such video.
        """
        rows = np.flatnonzero(self.table["id"] == video)
        if not len(rows):
            raise InputError(f"There is no video {video!r} among {len(self)} labelled ones.")
        return self.labels[int(rows[0])]

    def select(self, split: str | None = None, action: str | None = None) -> "LabelledVideos":
        """The videos of one split, of one action.

        Raises:
            InputError: There are none; the message says what there is.
        """
        kept_rows = np.ones(len(self), bool)
        for column, wanted in (("split", split), ("action", action)):
            if wanted is not None:
                kept_rows &= (self.table[column] == wanted).to_numpy(bool)
        if not kept_rows.any():
            present = {column: sorted(set(self.table[column])) for column in ("split", "action")}
            raise InputError(f"No video is of split={split!r} and action={action!r}; there are {present}.")
        return LabelledVideos(
            self.table[kept_rows].reset_index(drop=True),
            tuple(values for values, kept in zip(self.labels, kept_rows, strict=True) if kept),
        )


def typed_table(rows: Sequence[dict[str, object]]) -> pd.DataFrame:
    """Rows as a table with the columns and types of the index."""
    table: pd.DataFrame = pd.DataFrame(rows, columns=list(VIDEO_COLUMNS)).astype(VIDEO_COLUMNS)
    return table


TABLE, LABELS = "videos.parquet", "frame_labels.h5"
_OFFSETS, _VALUES = "offset", "label"


def write_labelled_videos(folder: Path, videos: LabelledVideos) -> None:
    """Writes table and labels into a folder, which is replaced as a whole or not at all."""
    lengths = [len(values) for values in videos.labels]
    with atomic_directory(folder) as temporary:
        videos.table.to_parquet(temporary / TABLE, index=False, compression="zstd")
        with create_hdf5(temporary / LABELS) as file:
            file[_OFFSETS] = np.cumsum([0, *lengths], dtype=np.int64)
            file[_VALUES] = np.concatenate([np.zeros(0, np.int16), *videos.labels])


def keep_labelled_videos(folder: Path, videos: LabelledVideos) -> Path:
    """Writes them, unless the folder holds exactly these already; returns the folder.

    So a run that is finished can be gone through again where nothing can be written.
    """
    try:
        same = read_labelled_videos(folder).digest == videos.digest
    except InputError:
        same = False
    if not same:
        write_labelled_videos(folder, videos)
    return folder


def read_labelled_videos(folder: Path) -> LabelledVideos:
    """Reads what :func:`write_labelled_videos` wrote.

    Raises:
        InputError: It is missing, damaged, or table and labels do not fit one another.
    """
    try:
        table = pd.read_parquet(folder / TABLE)
        with open_hdf5(folder / LABELS) as file:
            offsets, values = file[_OFFSETS][:], file[_VALUES][:]
    except (OSError, KeyError, pa.ArrowException) as error:
        raise InputError(
            f"{folder} holds no whole index of labelled videos ({error}). Run the pipeline that makes it."
        ) from error
    if len(offsets) != len(table) + 1 or (np.diff(offsets) != table["frames"].to_numpy()).any():
        raise InputError(f"{folder}: its table and its labels are not of the same videos. Make it again.")
    return LabelledVideos(table, tuple(np.split(values, offsets[1:-1])) if len(table) else ())
