"""Named arrays of the frames or episodes of a store: latents, features, proprioception, and what made them.

Where not every frame has one, a shard has as many entries as it needs (``entry``), and another array says
which frame they belong to.

One file per shard of frames, under the same name, whose arrays are plain blocks of bytes. The file says which
arrays it has, which model made them, and of which version of the frames.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from operator import index
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np
from numpy.typing import DTypeLike, NDArray

from vidrep_pipelines.common.digest import digest_of
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.frame_store.shard import SHARD_SUFFIX, VERSION_STAMP
from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.data.hdf5 import create_hdf5, open_hdf5

FRAMES_VERSION = "frames_digest"
"""Attribute of a file of arrays: digest of the shard of frames, from ``StoreFacts.shards``."""

SPECS = "arrays"
"""Attribute of a file of arrays: what it holds, see :func:`read_specs`."""

MODEL_VERSION = "model_digest"
"""Attribute of a file of arrays: digest of the model that made them."""

_LAYOUT = 1
"""Version of the layout: raised when equal requests lead to other files."""


@dataclass(frozen=True)
class ArraySpec:
    """What an array holds.

    Attributes:
        name: Its name, such as ``latents``.
        dtype: NumPy's name of its type, such as ``float16``: numbers or truth values.
        shape: Shape of what belongs to one frame, or to one episode; () for a single number.
        per: What has one entry: every ``frame``, every view of an episode (``episode``), or nothing of the
            store: a shard has as many as its request says (``entry``).

    Raises:
        InputError: The name cannot be one of an array, or there is no such type or shape.
    """

    name: str
    dtype: str
    shape: tuple[int, ...] = ()
    per: Literal["frame", "episode", "entry"] = "frame"

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", tuple(map(index, self.shape)))  # JSON gives a list
        if not self.name.isidentifier():
            raise InputError(f"An array cannot be called {self.name!r}; letters, digits and _ can.")
        try:
            kind = np.dtype(self.dtype)
        except TypeError as error:
            raise InputError(f"{self.name}: there is no type {self.dtype!r}.") from error
        if kind.kind not in "fiub" or kind.name != self.dtype:
            raise InputError(f"{self.name}: {self.dtype!r} is no plain type of numbers, such as 'float16'.")
        if any(side < 1 for side in self.shape) or self.per not in ("frame", "episode", "entry"):
            raise InputError(f"{self.name}: no array has {self.shape} per {self.per}.")

    def __str__(self) -> str:
        return f"{self.dtype} {self.shape} per {self.per}"


@dataclass(frozen=True)
class ArrayShardRequest:
    """What making the arrays of one shard needs, besides the model.

    Attributes:
        id: Path of the shard below the store, without suffix.
        frames: The shard of frames.
        frames_digest: Its version.
        specs: The arrays.
        model_digest: Changes with the model that makes them and with all that it is told.
        entries: Entries of the arrays that have them per ``entry``.
    """

    id: str
    frames: Path
    frames_digest: str
    specs: tuple[ArraySpec, ...]
    model_digest: str
    entries: int = 0

    @property
    def digest(self) -> str:
        """Changes with the frames, the model and the arrays."""
        entries = (self.entries,) if self.entries else ()
        return digest_of(_LAYOUT, self.frames_digest, self.specs, self.model_digest, *entries)


def array_requests(
    store: FrameStore, specs: Sequence[ArraySpec], model_digest: str
) -> list[ArrayShardRequest]:
    """One request per shard of a store.

    Raises:
        InputError: Two arrays have one name, or there is none.
    """
    names = [spec.name for spec in specs]
    if not names or len(set(names)) < len(names):
        raise InputError(f"Arrays need names of their own, not {names}.")
    return [
        ArrayShardRequest(
            file.removesuffix(SHARD_SUFFIX), store.folder / file, version, tuple(specs), model_digest
        )
        for file, version in store.facts.shards.items()
    ]


class ArrayShardWriter:
    """Fills the arrays of one shard piece by piece, in the order of the frames; see :func:`array_shard`."""

    def __init__(self, arrays: Mapping[str, h5py.Dataset]) -> None:
        self._arrays, self._written = arrays, dict.fromkeys(arrays, 0)

    def append(self, name: str, rows: NDArray[Any]) -> None:
        """Adds the entries of the next frames, or of the next views.

        Args:
            name: Which array.
            rows: (n, *shape) of exactly the array's type: a silent change of type can overflow.

        Raises:
            InputError: There is no such array, the entries do not fit it, or there are more than it has.
        """
        if name not in self._arrays:
            raise InputError(f"There is no array {name!r}, only {sorted(self._arrays)}.")
        array = self._arrays[name]
        if rows.dtype != array.dtype or rows.shape[1:] != array.shape[1:]:
            raise InputError(
                f"{name} has entries {array.dtype} {array.shape[1:]}, not {rows.dtype} {rows.shape[1:]}."
            )
        self.fill(name, rows)

    def written(self, name: str) -> int:
        """Entries of an array so far."""
        return self._written[name]

    def length(self, name: str) -> int:
        """Entries that an array is to have."""
        return len(self._arrays[name])

    def fill(self, name: str, rows: NDArray[Any]) -> None:
        """Like :meth:`append`, for entries that HDF5 is to convert to the array's type."""
        stop = self._written[name] + len(rows)
        if stop > len(self._arrays[name]):
            raise InputError(f"{name} has {len(self._arrays[name])} entries, and would get {stop}.")
        self._arrays[name][self._written[name] : stop] = rows
        self._written[name] = stop


def created_array(file: h5py.File, name: str, shape: tuple[int, ...], dtype: DTypeLike) -> h5py.Dataset:
    """An array in one plain block, which is not filled beforehand."""
    return file.create_dataset(name, shape, dtype, fill_time="never")


@contextmanager
def array_shard(path: Path, request: ArrayShardRequest) -> Iterator[ArrayShardWriter]:
    """Makes the file of arrays that belongs to one shard of frames.

    Args:
        path: File to write.
        request: What is in it.

    Raises:
        InputError: The shard of frames cannot be read or was made anew, or not all entries were appended.
    """
    rows = _rows_of(request)
    with create_hdf5(path) as file:
        specs = json.dumps([asdict(spec) for spec in request.specs])
        file.attrs.update(
            {FRAMES_VERSION: request.frames_digest, MODEL_VERSION: request.model_digest, SPECS: specs}
        )
        arrays = {
            spec.name: created_array(file, spec.name, (rows[spec.per], *spec.shape), spec.dtype)
            for spec in request.specs
        }
        writer = ArrayShardWriter(arrays)
        yield writer
        for spec in request.specs:
            if writer.written(spec.name) != rows[spec.per]:
                have = f"{writer.written(spec.name)} of {rows[spec.per]} entries"
                raise InputError(f"{path}: {have} of {spec.name} are there.")


def _rows_of(request: ArrayShardRequest) -> dict[str, int]:
    """How many frames and views the shard of frames has, and how many entries are asked for."""
    try:
        with open_hdf5(request.frames) as file:
            version, ends = file.attrs.get(VERSION_STAMP), file["video/offset"][:]
    except (OSError, KeyError) as error:
        raise InputError(f"{request.frames} is no whole shard of frames ({error}).") from error
    if version != request.frames_digest:
        raise InputError(f"{request.frames} was made anew. Remedy: load the store again.")
    return {"frame": int(ends[-1]), "episode": len(ends) - 1, "entry": request.entries}


def read_specs(path: Path, text: str) -> dict[str, ArraySpec]:
    """The arrays of a file by name, from its attribute ``SPECS``.

    Raises:
        InputError: Something else wrote it.
    """
    try:
        specs = [ArraySpec(**fields) for fields in json.loads(text)]
    except (TypeError, ValueError) as error:
        raise InputError(f"{path} is no file of arrays ({error}). Make it again.") from error
    return {spec.name: spec for spec in specs}
