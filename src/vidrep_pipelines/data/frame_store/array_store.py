"""Reads arrays that lie beside the frames of a store, by the names of array and view."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray

from vidrep_pipelines.common.digest import digest_of
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.frame_store.arrays import (
    FRAMES_VERSION,
    MODEL_VERSION,
    SPECS,
    ArraySpec,
    read_specs,
)
from vidrep_pipelines.data.frame_store.contiguous import OpenArrays, StoredRows
from vidrep_pipelines.data.frame_store.manifest import read_store_manifest
from vidrep_pipelines.data.frame_store.store import FrameSelection, FrameStore, read_selection
from vidrep_pipelines.data.hdf5 import open_hdf5


class ArraysBesideFrames:
    """Arrays in files under the names of a store's shards. Picklable, like the store.

    Args:
        folder: Where the files are.
        store: The frames that the arrays were made of; its selection of views holds for them too.
    """

    def __init__(self, folder: Path, store: FrameStore) -> None:
        self.folder, self.store = Path(folder), store
        self._open: dict[str, OpenArrays] = {}

    def frames(self, view: str, selection: FrameSelection = slice(None)) -> NDArray[np.uint8]:
        """(T, H, W, 3) uint8: the frames themselves, see :meth:`FrameStore.frames`."""
        return self.store.frames(view, selection)

    def close(self) -> None:
        """Closes all files of arrays."""
        for arrays in self._open.values():
            arrays.close()

    def _array(self, name: str, shard: str) -> StoredRows:
        if name not in self._open:
            self._open[name] = OpenArrays(self.folder, name, FRAMES_VERSION, self.store.facts.shards)
        return self._open[name][shard]

    def _entries(self, name: str, view: str, selection: FrameSelection) -> NDArray[Any]:
        shard, start, frames = self.store.index.frames(self.store.index.position(view))
        array = self._array(name, shard)
        _require_rows(array, name, view, start + frames)
        return read_selection(array, start, frames, selection)


class FrameArrayStore(ArraysBesideFrames):
    """Random access to the arrays of the views of a frame store, by name.

    Args:
        folder: Where the files of arrays are.
        store: The frames that they were made of; its selection of views holds for the arrays too.
        expected: What the reader counts on; arrays of another type or shape are refused.
        model_digest: The model that must have made them. None: that of the first shard, for all.
    """

    def __init__(
        self,
        folder: Path,
        store: FrameStore,
        expected: Sequence[ArraySpec] = (),
        model_digest: str | None = None,
    ) -> None:
        super().__init__(folder, store)
        self._expected, self._wanted = {spec.name: spec for spec in expected}, model_digest
        self._accepted: dict[tuple[str, str, str], StoredRows] = {}
        self._ranks: torch.Tensor | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_accepted": {}}

    def requiring(self, expected: Sequence[ArraySpec], model_digest: str | None = None) -> Self:
        """The same arrays, read by somebody who counts on some of them and on a model.

        Raises:
            InputError: An array is missing or different, or another model made them.
        """
        store = type(self)(self.folder, self.store, expected, model_digest)
        try:
            for spec in expected:
                store._checked(spec.name, self._first_shard, spec.per)
        except BaseException:
            store.close()
            raise
        return store

    @cached_property
    def specs(self) -> dict[str, ArraySpec]:
        """The arrays by name, as the first shard has them.

        Raises:
            InputError: It cannot be read, or is no file of arrays.
        """
        return read_specs(self.folder / self._first_shard, self._first[SPECS])

    @property
    def model_digest(self) -> str:
        """Digest of the model that made the arrays."""
        return self._first[MODEL_VERSION] if self._wanted is None else self._wanted

    @property
    def content_digest(self) -> str:
        """Changes with the frames, their selection, the model and the arrays."""
        return digest_of(self.store.content_digest, self.model_digest, list(self.specs.values()))

    def array(self, name: str, view: str, selection: FrameSelection = slice(None)) -> NDArray[Any]:
        """Reads an array that has an entry per frame.

        Args:
            name: One of ``specs``.
            view: One of the store's ids.
            selection: A slice, or frame numbers in any order.

        Returns:
            (T, *shape) of the array's type.

        Raises:
            InputError: There is no such view or array, it belongs to other frames or to another model, it is
                not as expected, or its file is damaged.
            IndexError: A frame number is out of range.
        """
        return self.array_at(name, self.store.index.position(view), selection)

    def array_at(self, name: str, position: int, selection: FrameSelection = slice(None)) -> NDArray[Any]:
        """Like :meth:`array`, for the view at a position in 0..len-1: faster, as no view is looked up."""
        shard, start, frames = self.store.index.frames(position)
        array = self._checked(name, shard, "frame")
        if array.shape[0] < start + frames:
            _require_rows(array, name, self.store.ids[position], start + frames)
        return read_selection(array, start, frames, selection)

    def entries_at(self, name: str, position: int, start: int, stop: int) -> NDArray[Any]:
        """Reads an array that has an entry per ``entry``, from the shard of the view at a position.

        Args:
            name: One of ``specs``.
            position: Of the view, in 0..len-1.
            start: First entry, counted in the shard.
            stop: The entry after the last one.

        Returns:
            (stop - start, *shape) of the array's type.

        Raises:
            InputError: As for :meth:`array`.
        """
        shard, _, _ = self.store.index.frames(position)
        array = self._checked(name, shard, "entry")
        if array.shape[0] < stop:
            _require_rows(array, name, self.store.ids[position], stop)
        return array.read(start, stop)

    def value(self, name: str, view: str) -> NDArray[Any]:
        """Reads an array (*shape) that has an entry per episode; errors as for :meth:`array`."""
        position = self.store.index.position(view)
        array = self._checked(name, self.store.index.frames(position)[0], "episode")
        if self._ranks is None:
            self._ranks = _ranks_in_shards(self.store)
        row = int(self._ranks[position])
        _require_rows(array, name, view, row + 1)
        entry: NDArray[Any] = array.read(row, row + 1)[0]
        return entry

    @property
    def _first_shard(self) -> str:
        return next(iter(self.store.facts.shards))

    @cached_property
    def _first(self) -> dict[str, str]:
        path = self.folder / self._first_shard
        try:
            with open_hdf5(path) as file:
                return {name: str(file.attrs[name]) for name in (SPECS, MODEL_VERSION)}
        except (OSError, KeyError) as error:
            raise InputError(
                f"{path} is no whole file of arrays ({error}). Remedy: run the pipeline that makes it."
            ) from error

    def _checked(self, name: str, shard: str, per: str) -> StoredRows:
        """The array of a shard, which is what the file says, what is expected, and of the right model."""
        if name not in self.specs:
            raise InputError(f"{self.folder} has no array {name!r}, only {sorted(self.specs)}.")
        array = self._array(name, shard)
        if self._accepted.get((name, shard, per)) is not array:  # a file opened again may be another one
            self._require(array, self._expected.get(name, self.specs[name]), per)
            self._accepted[name, shard, per] = array
        return array

    def _require(self, array: StoredRows, wanted: ArraySpec, per: str) -> None:
        name, path, model = wanted.name, array.path, array.attributes.get(MODEL_VERSION)
        if model != self.model_digest:
            raise InputError(
                f"{path} was made by the model {model}, not by {self.model_digest}. Remedy: run the pipeline "
                "that makes these arrays again, or name the model that made them."
            )
        said = read_specs(path, str(array.attributes[SPECS])).get(name)
        if said != wanted:
            raise InputError(f"{path}: {name} is {said}, expected is {wanted}.")
        if (array.dtype, array.shape[1:]) != (np.dtype(said.dtype), said.shape):
            raise InputError(
                f"{path}: {name} should be {said}, but is {array.dtype} {array.shape[1:]}. Make it again."
            )
        if said.per != per:
            raise InputError(f"{path}: {name} has an entry per {said.per}, not per {per}.")


def _require_rows(array: StoredRows, name: str, view: str, rows: int) -> None:
    if array.shape[0] < rows:
        raise InputError(
            f"{array.path} has {array.shape[0]} entries of {name}, {view!r} would need {rows}: views are "
            "missing. Remedy: delete it and run the pipeline that makes it again."
        )


def _ranks_in_shards(store: FrameStore) -> torch.Tensor:
    """(V,) int64: the place of every view of a handle among all views of its shard."""
    table, facts = read_store_manifest(store.folder)
    if facts.shards != store.facts.shards:
        raise InputError(f"{store.folder} was made anew. Remedy: load the frames and their arrays again.")
    ranks = table.sort_values(["shard", "start"]).groupby("shard").cumcount()
    by_id = dict(zip(table["id"].loc[ranks.index], ranks, strict=True))
    return torch.tensor([by_id[view] for view in store.ids], dtype=torch.int64)
