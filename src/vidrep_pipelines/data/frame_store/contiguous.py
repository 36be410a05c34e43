"""An array inside an HDF5 file that is one plain block of bytes, read without going through HDF5."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.common.open_files import (
    OpenFilesCache,
    TooManyOpenFilesError,
    is_out_of_descriptors,
)
from vidrep_pipelines.data.hdf5 import open_hdf5

_OPEN_FILES = 128
_CACHES = 16
"""A process has about so many: four to six arrays of each of a few stores."""


@dataclass(frozen=True)
class ArrayPlace:
    """Where an array's block lies in a file: what HDF5 is asked once.

    Attributes:
        file: Inode, bytes and time of the file in which it was found; another file may have it elsewhere.
        shape: (N, ...).
        dtype: Type of its numbers.
        attributes: What the file says about itself.
        offset: Of its first byte.
    """

    file: tuple[int, int, int]
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    attributes: Mapping[str, Any]
    offset: int


class StoredRows(Protocol):
    """Rows of an array (N, ...) in a file, which are plain bytes or made of them when they are read.

    Attributes:
        path: The file.
        shape: (N, ...).
        dtype: Type of its numbers.
        attributes: What the file says about itself.
        place: Where its bytes lie.
    """

    path: Path
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    attributes: Mapping[str, Any]
    place: ArrayPlace

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """The rows from ``start`` to ``stop``, which must be in range."""

    def read_rows(self, rows: NDArray[np.int64]) -> NDArray[Any]:
        """Single rows in any order."""

    def close(self) -> None:
        """Closes the file."""


class ContiguousArray:
    """Rows of an array (N, ...), read by their byte range.

    HDF5 is used once, to find the block. Reading is a single ``pread``: it needs no lock and no shared file
    position, so that it is safe in threads and across a fork, and twice as fast as through h5py.

    Args:
        path: The HDF5 file.
        name: Name of the array.
        place: Where it was found before. HDF5 is not asked again as long as the file is the same one, which
            makes opening fifty times as fast.

    Raises:
        InputError: There is no such file or array, it is cut off, or its rows are not in one block.
        TooManyOpenFilesError: The process has no descriptor left for it.
    """

    def __init__(self, path: Path, name: str, place: ArrayPlace | None = None) -> None:
        self.path = path
        try:
            self._file = os.open(path, os.O_RDONLY)
        except FileNotFoundError as error:
            raise InputError(f"{path} does not exist. Remedy: run the pipeline that makes it.") from error
        except OSError as error:
            if is_out_of_descriptors(error):
                raise TooManyOpenFilesError from error
            raise InputError(f"{path} cannot be opened ({error.strerror}).") from error
        try:
            state = os.fstat(self._file)
            file = (state.st_ino, state.st_size, state.st_mtime_ns)
            self.place = place if place is not None and place.file == file else _found(path, name, file)
        except BaseException:
            os.close(self._file)
            raise
        self.shape, self.dtype, self.attributes = self.place.shape, self.place.dtype, self.place.attributes
        self._offset = self.place.offset
        self._row_shape = self.shape[1:]
        self._row_bytes = int(np.prod(self.shape[1:])) * self.dtype.itemsize

    def read_into(self, rows: NDArray[Any], start: int) -> None:
        """Fills ``rows`` (n, ...), of this dtype and contiguous, with the rows from ``start`` on."""
        position = self._offset + start * self._row_bytes
        done = os.preadv(self._file, [rows.data], position)
        while done < rows.nbytes:  # one call reads at most 2 GiB, and a signal may end it early
            count = os.preadv(self._file, [rows.reshape(-1).view(np.uint8)[done:].data], position + done)
            if count == 0:
                raise InputError(f"{self.path} has become shorter while it was open. Make it again.")
            done += count

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Reads the rows from ``start`` to ``stop``, which must be in range."""
        rows = np.empty((stop - start, *self._row_shape), self.dtype)
        if rows.size:
            self.read_into(rows, start)
        return rows

    def read_rows(self, rows: NDArray[np.int64]) -> NDArray[Any]:
        """Reads single rows in any order; neighbors that follow one another are read at once."""
        result = np.empty((len(rows), *self.shape[1:]), self.dtype)
        breaks = np.flatnonzero(np.diff(rows) != 1) + 1
        for first, last in zip([0, *breaks], [*breaks, len(rows)], strict=True):
            if last > first:
                self.read_into(result[first:last], int(rows[first]))
        return result

    def close(self) -> None:
        """Closes the file."""
        os.close(self._file)


def _found(path: Path, name: str, file: tuple[int, int, int]) -> ArrayPlace:
    try:
        with open_hdf5(path) as handle:
            array = handle[name]
            offset = array.id.get_offset() if array.size else 0  # nothing is stored of an empty array
            place = (array.shape, array.dtype, dict(handle.attrs))
    except (OSError, KeyError) as error:
        raise InputError(f"{path}: no array {name!r} can be read ({error}). Make it again.") from error
    if offset is None:
        raise InputError(
            f"{path}: {name!r} is compressed or in chunks. Remedy: make the store again and do not repack it."
        )
    return ArrayPlace(file, *place, int(offset))


class OpenArrays:
    """Arrays of the files used last, at most 128 at a time and fewer where the system allows few open files.

    Where the arrays lie is remembered of all files, so that one whose turn comes again is opened in
    microseconds: items of a training are drawn from more files than may be open.
    Picklable: files stay behind.

    Args:
        folder: Where the files are.
        name: Name of the array in every file.
        stamp: Attribute that tells versions of a file apart.
        versions: Its value for every file, given by its path below the folder.
        open_array: Opens the array of this name in a file, given where it was before, if it was opened;
            picklable.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        stamp: str,
        versions: Mapping[str, str],
        open_array: Callable[[Path, str, ArrayPlace | None], StoredRows] = ContiguousArray,
    ) -> None:
        self.folder, self.name, self.stamp, self.versions = folder, name, stamp, versions
        self.open_array = open_array
        self._open = OpenFilesCache[StoredRows](_OPEN_FILES, _CACHES)
        self._places: dict[str, ArrayPlace] = {}

    def __getitem__(self, file: str) -> StoredRows:
        """The array of a file.

        Raises:
            InputError: The file cannot be read, or is of another version.
            TooManyOpenFilesError: Others have all descriptors of this process.
        """
        return self._open.opened(file, self._opened)

    def _opened(self, file: str) -> StoredRows:
        array = self.open_array(self.folder / file, self.name, self._places.get(file))
        if array.attributes.get(self.stamp) != self.versions[file]:
            array.close()
            raise InputError(
                f"{array.path} does not belong to the frames that the manifest describes: one of them was "
                "made anew. Remedy: run the pipeline that makes it again, and load it again."
            )
        self._places[file] = array.place
        return array

    def close(self) -> None:
        """Closes all files."""
        self._open.close()

    def __getstate__(self) -> dict[str, Any]:
        names = ("folder", "name", "stamp", "versions", "open_array")
        return {name: self.__dict__[name] for name in names}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]
