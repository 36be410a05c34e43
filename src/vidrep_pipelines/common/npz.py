"""NumPy files from elsewhere: only what is asked for is read, and its size is looked at before."""

import math
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.common.foreign_file import disguise_of

_SUFFIX = ".npy"
_LARGEST_GROWTH = 200
_ALWAYS_ALLOWED = 128 * 2**20
"""Pictures of one color pack a thousand times; those of any scene far less."""


def read_npz(path: Path, names: Iterable[str], what: str) -> dict[str, NDArray[Any]]:
    """Those of the named arrays that an archive has.

    Args:
        path: The archive.
        names: Which arrays; others in it are not unpacked.
        what: What the error calls the archive.

    Raises:
        InputError: It cannot be read, or an array is of Python objects (which are not built), or larger than
            the archive could honestly hold.
    """
    if disguise := disguise_of(path):
        raise InputError(f"{path} is no readable {what}: {disguise}")
    try:
        with zipfile.ZipFile(path) as archive:
            members = {member.filename.removesuffix(_SUFFIX): member for member in archive.infolist()}
            wanted = {name: members[name] for name in names if name in members}
            limit = max(_ALWAYS_ALLOWED, _LARGEST_GROWTH * path.stat().st_size)
            if sum(member.file_size for member in wanted.values()) > limit:
                raise ValueError(f"its arrays would unpack to more than {limit} bytes")
            return {name: _array(archive, member) for name, member in wanted.items()}
    except Exception as error:  # a damaged archive can raise nearly anything
        reason = str(error) or type(error).__name__
        raise InputError(f"{path} is no readable {what} ({reason}). Remedy: download it again.") from error


def npz_names(path: Path) -> list[str]:
    """What an archive holds; nothing if it is none."""
    try:
        with zipfile.ZipFile(path) as archive:
            return sorted(name.removesuffix(_SUFFIX) for name in archive.namelist())
    except (OSError, zipfile.BadZipFile):
        return []


def read_npy_header(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and type of the array in an ``.npy`` file, which stands behind its header afterwards.

    Raises:
        ValueError: It has no header, or one of another version.
    """
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        shape, _, kind = np.lib.format.read_array_header_1_0(file)
    elif version == (2, 0):
        shape, _, kind = np.lib.format.read_array_header_2_0(file)
    else:
        raise ValueError(f"an array has the version {version}")
    return shape, kind


def read_npy(path: Path, what: str) -> NDArray[Any]:
    """The array of a file of its own.

    Args:
        path: The file.
        what: What the error calls it.

    Raises:
        InputError: It cannot be read, or holds Python objects (which are not built), or not as many bytes as
            it says.
    """
    if disguise := disguise_of(path):
        raise InputError(f"{path} is no readable {what}: {disguise}")
    try:
        with path.open("rb") as file:
            _check_description(file, path.stat().st_size, path.name)
            file.seek(0)
            values: NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
            return values
    except Exception as error:  # a damaged description can raise nearly anything
        reason = str(error) or type(error).__name__
        raise InputError(f"{path} is no readable {what} ({reason}). Remedy: download it again.") from error


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> NDArray[Any]:
    with archive.open(member) as file:
        _check_description(file, member.file_size, member.filename)
    with archive.open(member) as file:
        values: NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
    return values


def _check_description(file: IO[bytes], size: int, name: str) -> None:
    """Whether an array's description fits its bytes: NumPy makes room for it before it reads them."""
    shape, kind = read_npy_header(file)
    rest = size - file.tell()
    if kind.hasobject:
        raise ValueError(f"{name} holds Python objects, which are not built")
    if min(shape, default=0) < 0 or math.prod(shape) * kind.itemsize != rest:
        raise ValueError(f"{name} says it is {kind} {shape}, which are not its {rest} bytes")
