"""Frame stores, the codes of their frames, and other arrays beside them in the catalog."""

import os
from abc import abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import pandas as pd
from kedro.io import DatasetError
from kedro_datasets._typing import TablePreview

from vidrep_pipelines.common.errors import InputError, VidrepError
from vidrep_pipelines.datasets.local import LocalDataset, table_preview
from vidrep_pipelines.datasets.resumable_parts import run_whole
from vidrep_pipelines.fanout.completeness import has_all
from vidrep_pipelines.fanout.job import Job
from vidrep_pipelines.fanout.runner import Parts, is_complete, load_parts

if TYPE_CHECKING:
    from vidrep_pipelines.data.frame_store.array_store import FrameArrayStore
    from vidrep_pipelines.data.frame_store.codes import CodeStore
    from vidrep_pipelines.data.frame_store.store import FrameStore

Handle = TypeVar("Handle")


class FrameStoreDataset(LocalDataset[Job, "FrameStore"]):
    """A frame store: saving runs the job that assembles its shards, loading gives the handle.

    The manifest is written after the last shard and names the version of each, so that it is never taken for
    that of a store which is only partly redone.
    """

    def save(self, data: Job) -> None:
        """Assembles what is missing or out of date, then writes the manifest.

        Raises:
            FanOutError: A shard could not be assembled.
        """
        from vidrep_pipelines.data.frame_store.manifest import write_store_manifest

        parts = run_whole(data, self._path, "shards could not be assembled")
        if not self._describes(parts):
            write_store_manifest(self._path, parts.ids)

    def load(self) -> "FrameStore":
        """The handle; opens no shard.

        Raises:
            DatasetError: The store is not finished.
        """
        from vidrep_pipelines.data.frame_store.store import FrameStore

        if not self._describes(load_parts(self._path)):
            raise DatasetError(
                f"{self._path}: its manifest is missing or out of date, as after a run that was killed at "
                "its end. Remedy: run the pipeline that makes it again."
            )
        return FrameStore(self._path)

    def _exists(self) -> bool:
        return is_complete(self._path) and self._describes(load_parts(self._path))

    def _describes(self, parts: Parts) -> bool:
        """Whether the manifest is that of these shards."""
        from vidrep_pipelines.data.frame_store.manifest import read_store_manifest
        from vidrep_pipelines.data.frame_store.shard import SHARD_SUFFIX

        try:
            _, facts = read_store_manifest(self._path)
        except InputError:
            return False
        names = parts.table["id"] + SHARD_SUFFIX
        return dict(facts.shards) == dict(zip(names, parts.table["digest"], strict=True))

    def preview(self, rows: int = 20) -> TablePreview:
        """Views, trajectories and frames per split and robot."""
        try:
            table = self.load().table
        except (VidrepError, DatasetError):  # Kedro wraps the errors of load
            return TablePreview({})
        groups = table.groupby(["split", "robot"])
        summary = groups.agg(
            trajectories=("trajectory", "nunique"), views=("id", "size"), frames=("frames", "sum")
        )
        return table_preview(summary.reset_index().head(rows))


class BesideFramesDataset(LocalDataset[Job, Handle]):
    """Something per frame of a store: saving runs the extraction, loading gives the handle.

    Args:
        filepath: Folder of the files, one per shard of frames.
        frames: Folder of the frame store that they are made of.
        metadata: Notes for Kedro-Viz.
    """

    failed: ClassVar[str]
    """Ends the sentence "3 of 12 ..."."""

    def __init__(
        self,
        *,
        filepath: str | os.PathLike[str],
        frames: str | os.PathLike[str],
        metadata: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(filepath=filepath, metadata=metadata)
        self._frames = Path(frames)

    @abstractmethod
    def _handle(self, folder: Path, frames: "FrameStore") -> Handle:
        """The handle that the class hands out; it opens no file yet."""

    def save(self, data: Job) -> None:
        """Extracts what is missing or out of date, one file per shard.

        Raises:
            FanOutError: A shard could not be extracted.
        """
        run_whole(data, self._path, self.failed)

    def load(self) -> Handle:
        """The handle; opens no shard."""
        from vidrep_pipelines.data.frame_store.store import FrameStore

        load_parts(self._path)
        return self._handle(self._path, FrameStore(self._frames))

    def _describe(self) -> dict[str, Any]:
        return {**super()._describe(), "frames": self._frames.as_posix()}

    def _exists(self) -> bool:
        return has_all(self._path)

    def preview(self, rows: int = 20) -> TablePreview:
        """The shards, with their facts."""
        try:
            table: pd.DataFrame = load_parts(self._path).table
        except VidrepError:
            return TablePreview({})
        return table_preview(table.head(rows))


class CodeStoreDataset(BesideFramesDataset["CodeStore"]):
    """Codes of the frames of a store."""

    failed = "shards could not be encoded"

    def _handle(self, folder: Path, frames: "FrameStore") -> "CodeStore":
        from vidrep_pipelines.data.frame_store.codes import CodeStore

        return CodeStore(folder, frames)


class FrameArraysDataset(BesideFramesDataset["FrameArrayStore"]):
    """Named arrays of the frames or episodes of a store, such as latents, features or proprioception."""

    failed = "shards got no arrays"

    def _handle(self, folder: Path, frames: "FrameStore") -> "FrameArrayStore":
        from vidrep_pipelines.data.frame_store.array_store import FrameArrayStore

        return FrameArrayStore(folder, frames)
