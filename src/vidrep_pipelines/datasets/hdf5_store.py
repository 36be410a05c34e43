"""A folder of HDF5 files, one per item, read by id and array name."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.common.open_files import OpenFilesCache
from vidrep_pipelines.datasets.item_folder import ItemFolder
from vidrep_pipelines.fanout.parts import Parts

if TYPE_CHECKING:
    import h5py
    import numpy as np

_OPEN_FILES = 64
_STORES = 4
"""A process has about so many."""

ArraySelection = slice | int | list[int] | tuple[slice | int | list[int], ...]


class ArrayStore:
    """Handle on a folder of HDF5 files. Opens a file when something of it is first asked for.

    Picklable; open files stay behind and are opened again in the other process, because processes must not
    share them. The files used last are kept open, at most 64 and fewer where the system allows few.

    Args:
        folder: Where the files are.
        ids: Their relative paths without the ending.
        suffix: The ending.
    """

    def __init__(self, folder: Path, ids: list[str], suffix: str = ".h5") -> None:
        self.folder, self.ids, self.suffix = folder, ids, suffix
        self._files = self._no_files()
        self._process = os.getpid()

    @classmethod
    def of(cls, parts: Parts, suffix: str = ".h5") -> Self:
        """The HDF5 products of a job."""
        return cls(parts.folder, parts.ids, suffix)

    def path(self, item_id: str) -> Path:
        """The file of an item."""
        return self.folder / f"{item_id}{self.suffix}"

    def names(self, item_id: str) -> list[str]:
        """Names of the arrays of an item; those in groups are written ``group/array``."""
        import h5py

        names: list[str] = []
        self._file(item_id).visititems(
            lambda name, node: names.append(name) if isinstance(node, h5py.Dataset) else None
        )
        return sorted(names)

    def read(
        self, item_id: str, name: str, selection: ArraySelection = slice(None)
    ) -> "np.ndarray[Any, Any]":
        """Reads (a part of) an array; only that part is read from the disk.

        Args:
            item_id: One of ``ids``.
            name: One of ``names(item_id)``.
            selection: Index along the first axis, or a tuple of them. Lists must ascend.

        Returns:
            The array as it is stored; texts as an array of ``str``. A single number or text has shape ().

        Raises:
            InputError: No such item or array, or a damaged file.
        """
        import h5py
        import numpy as np

        node = self._file(item_id).get(name)
        if not isinstance(node, h5py.Dataset):
            raise InputError(f"{self.path(item_id)} has no array {name!r}; it has {self.names(item_id)}.")
        values = node.asstr() if h5py.check_string_dtype(node.dtype) else node
        try:
            return np.asarray(values[()] if node.shape == () else values[selection])
        except OSError as error:
            raise self._damaged(item_id, error) from error

    def attributes(self, item_id: str) -> dict[str, Any]:
        """Attributes of the whole file as plain values."""
        values = dict(self._file(item_id).attrs)
        return {
            name: value.item() if hasattr(value, "item") and value.ndim == 0 else value
            for name, value in values.items()
        }

    def close(self) -> None:
        """Closes all files."""
        self._files.close()

    def __getstate__(self) -> dict[str, Any]:
        return {"folder": self.folder, "ids": self.ids, "suffix": self.suffix}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]

    def _no_files(self) -> "OpenFilesCache[h5py.File]":
        return OpenFilesCache(_OPEN_FILES, _STORES)

    def _file(self, item_id: str) -> "h5py.File":
        if self._process != os.getpid():
            # A forked child must not touch its parent's files, not even close them.
            self._files, self._process = self._no_files(), os.getpid()
        return self._files.opened(item_id, self._opened)

    def _opened(self, item_id: str) -> "h5py.File":
        from vidrep_pipelines.data.hdf5 import open_hdf5

        try:
            return open_hdf5(self.path(item_id))
        except FileNotFoundError as error:
            raise InputError(f"{self.path(item_id)} does not exist.") from error
        except OSError as error:
            raise self._damaged(item_id, error) from error

    def _damaged(self, item_id: str, error: OSError) -> InputError:
        return InputError(
            f"{self.path(item_id)} is no whole HDF5 file ({error}). Remedy: delete it and make it again."
        )


class Hdf5Store(ItemFolder[ArrayStore]):
    """HDF5 files below a folder."""

    usual_suffix = ".h5"

    def _handle(self, folder: Path, ids: list[str], suffix: str) -> ArrayStore:
        return ArrayStore(folder, ids, suffix)
