"""Frame labels and actions as training reads them: a run's own copy, mapped into memory."""

from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from vidrep_pipelines.common.atomic import atomic_file
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.labelled_videos.frame_labels import LabelledVideos

_SCHEMA = pa.schema(
    [("id", pa.large_string()), ("action", pa.large_string()), ("labels", pa.large_list(pa.int16()))]
)


def write_labels(videos: LabelledVideos, directory: Path) -> Path:
    """Writes ``directory/labels.arrow``, unless it holds these labels already, and returns its path."""
    columns = [
        pa.array(videos.ids, _SCHEMA.field("id").type),
        pa.array(videos.table["action"].tolist(), _SCHEMA.field("action").type),
        pa.array([labels.tolist() for labels in videos.labels], _SCHEMA.field("labels").type),
    ]
    path, table = directory / "labels.arrow", pa.Table.from_arrays(columns, schema=_SCHEMA)
    if not _holds(path, table):
        with atomic_file(path) as temporary, pa.ipc.new_file(str(temporary), _SCHEMA) as writer:
            writer.write_table(table)
    return path


def _holds(path: Path, table: pa.Table) -> bool:
    try:
        stored = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
        stored.validate(full=True)  # comparing damaged offsets would end the process
        return bool(stored.equals(table))
    except (pa.ArrowException, OSError):
        return False


class LabelRows:
    """The table, as access by id. A process that receives this object maps the file itself.

    Args:
        path: A file written by :func:`write_labels`.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)

    def __reduce__(self) -> tuple[type["LabelRows"], tuple[Path]]:
        return LabelRows, (self.path,)

    @cached_property
    def _table(self) -> pa.Table:
        try:
            table = pa.ipc.open_file(pa.memory_map(str(self.path))).read_all()
        except (pa.ArrowException, OSError) as error:
            raise InputError(
                f"{self.path} is no table of frame labels ({error}). Remedy: run the pretraining pipeline "
                "again."
            ) from error
        if table.schema != _SCHEMA:
            raise InputError(f"{self.path} is no table of frame labels: it has {table.schema.names}.")
        return table

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {name: position for position, name in enumerate(self._table["id"].to_pylist())}

    def labels(self, name: str, length: int) -> NDArray[np.int64]:
        """(L,) labels of a video of L frames.

        Raises:
            InputError: The video has no labels, or another number of them.
        """
        found = self._table["labels"][self._position(name)].values.to_numpy()
        if len(found) != length:
            raise InputError(
                f"{name} has {length} frames but {len(found)} labels in {self.path}. Remedy: ingest it again."
            )
        return np.asarray(found, np.int64)

    def action(self, name: str) -> str:
        """Action of a video."""
        return str(self._table["action"][self._position(name)].as_py())

    def _position(self, name: str) -> int:
        if name not in self._positions:
            raise InputError(f"{self.path} has no labels of {name}. Remedy: ingest the labels again.")
        return self._positions[name]
