"""The table of clips as training reads it."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.tables.mapped_table import MappedTable, write_mapped_table
from vidrep_pipelines.data.tables.table import Rows, as_table, conform, joined_text

_SHOWN_COLUMNS = ("id", "class_name", "path", "frames", "frames_per_second")
_SCHEMA = pa.schema([("id", pa.large_string()), ("path", pa.large_string()), ("frames", pa.int64())])


def snapshot(clips: Rows, directory: Path) -> Path:
    """Writes the columns that training needs to ``directory/clips.arrow`` and returns its path.

    A run keeps its own copy: worker processes and other machines read it, and it stays what it was when
    the catalog's table changes. :class:`ClipRows` reads the file.
    """
    path = directory / "clips.arrow"
    write_mapped_table(path, _SCHEMA, lambda: _batches(clips))
    return path


def _batches(clips: Rows) -> Iterator[pa.RecordBatch]:
    for batch in as_table(clips).batches(_SCHEMA.names):
        if batch["id"].null_count or batch["path"].null_count:
            raise InputError("The clip table has empty entries among its ids or paths.")
        yield conform(batch, _SCHEMA)


def content_digest(clips: Rows) -> str:
    """Changes when a clip is added, removed, moved, or made from something else."""
    digest = hashlib.blake2b(digest_size=8)
    for batch in as_table(clips).batches(["id", "digest"]):
        lines = joined_text(batch["id"], "\t", batch["digest"], "\n")
        # Strings lie side by side in memory: all lines of the batch are one piece of bytes.
        _, ends, text = lines.buffers()
        digest.update(text[: int(np.frombuffer(ends, np.int64)[len(lines)])])
    return digest.hexdigest()


@dataclass(frozen=True)
class ClassSamples:
    """The first clips of every class, taken from a table of any length.

    Attributes:
        clips: Those clips, in the order of the table.
        summary: How many clips, classes and frames the whole table has, for people.
    """

    clips: pd.DataFrame
    summary: str

    @classmethod
    def of(cls, clips: Rows, per_class: int) -> Self:
        """Takes up to ``per_class`` clips of each class."""
        taken, total, frames = pd.DataFrame(), 0, 0
        for batch in as_table(clips).batches(_SHOWN_COLUMNS):
            total, frames = total + len(batch), frames + int(pc.sum(batch["frames"]).as_py() or 0)
            both = pd.concat([taken, batch.to_pandas()], ignore_index=True)
            taken = both[both.groupby("class_name", dropna=False).cumcount() < per_class]
        classes = taken["class_name"].nunique() if total else 0
        return cls(taken, f"{total} clips of {classes} classes, {frames} frames")


class ClipRows(MappedTable):
    """The snapshot, as random access to single rows.

    Args:
        path: A file written by :func:`snapshot`.
    """

    schema = _SCHEMA
    content = "clips"

    def __len__(self) -> int:
        return len(self.table)

    def id(self, index: int) -> str:
        """Name of the clip at this position."""
        return str(self.table["id"][index].as_py())

    def file(self, index: int) -> str:
        """Path of the clip, relative to the folder of clips."""
        return str(self.table["path"][index].as_py())

    def frames(self, index: int) -> int:
        """Number of frames of the clip."""
        return int(self.table["frames"][index].as_py())
