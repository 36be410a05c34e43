"""The one place where HDF5 files are opened: those of the project, and those that a user brought.

The project's files are written under a name of their own and renamed, so that HDF5's locks protect nothing;
on file systems without locks they only fail. They are switched off for writing and for reading alike.
"""

from pathlib import Path

import h5py
from h5py import h5d, h5l, h5o

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.common.foreign_file import disguise_of
from vidrep_pipelines.common.open_files import TooManyOpenFilesError, is_out_of_descriptors

_MOST_OBJECTS = 100_000
"""Most groups and arrays in a file that a user brought; published ones have some hundred."""


def create_hdf5(path: Path) -> h5py.File:
    """Makes a file, replacing what was there.

    Raises:
        OSError: It cannot be written.
        TooManyOpenFilesError: The process has no descriptor left; the file is not at fault.
    """
    return _opened(path, "w")


def open_hdf5(path: Path) -> h5py.File:
    """Opens a file that the project wrote, for reading.

    Raises:
        OSError: There is no such file, or it is no whole HDF5 file.
        TooManyOpenFilesError: The process has no descriptor left; the file is not at fault.
    """
    return _opened(path, "r")


def open_foreign_hdf5(path: Path) -> h5py.File:
    """Opens a file that somebody else made, for reading.

    HDF5 can name other files as the place of an array or of a group: whoever reads the file would read those,
    and could be made to publish a private one. Such files are refused before any array is read. Every object
    that has a name is checked; object references to nameless ones must not be followed.

    Raises:
        InputError: It takes content from other files, is a pointer or a page in place of the file, or is a
            pipe or a device (where opening would wait for ever).
        OSError: There is no such file, or it is no whole HDF5 file.
    """
    if disguise := disguise_of(path):
        raise InputError(f"{path} is no HDF5 file: {disguise}")
    file = open_hdf5(path)
    try:
        foreign = _foreign_content(file)
        if foreign:
            raise InputError(
                f"{path} is refused: {foreign}. Remedy: download it again from its publisher, or store its "
                "arrays in the file itself (h5repack, or h5py)."
            )
    except BaseException:
        file.close()
        raise
    return file


def _opened(path: Path, mode: str) -> h5py.File:
    try:
        return h5py.File(path, mode, locking=False)
    except OSError as error:
        if is_out_of_descriptors(error):
            raise TooManyOpenFilesError from error
        raise


def _foreign_content(file: h5py.File) -> str | None:
    """What in the file would be taken from another one; none if nothing.

    Raises:
        OSError: The file is damaged.
    """
    seen = 0
    damage: Exception | None = None

    def inspect(name: bytes, link: h5l.LinkInfo) -> str | None:
        nonlocal seen, damage
        seen += 1
        if seen > _MOST_OBJECTS:
            return f"it holds more than {_MOST_OBJECTS} objects"
        shown = repr(name.decode("utf-8", "replace"))
        if link.type == h5l.TYPE_HARD:
            try:
                return _foreign_array(file, name, shown)
            except Exception as error:  # h5py loses its way if a visitor raises
                damage = error
                return "it is damaged"
        return None if link.type == h5l.TYPE_SOFT else f"{shown} is a link to another file"

    foreign: str | None = file.id.links.visit(inspect, info=True)
    if damage is not None:
        raise OSError(f"it is damaged: {damage}") from damage
    return foreign


def _foreign_array(file: h5py.File, name: bytes, shown: str) -> str | None:
    node = h5o.open(file.id, name)
    if not isinstance(node, h5d.DatasetID):
        return None
    layout = node.get_create_plist()
    if layout.get_external_count():
        return f"the array {shown} lies in another file"
    if layout.get_layout() == h5d.VIRTUAL:
        return f"the array {shown} is put together from other files"
    return None
