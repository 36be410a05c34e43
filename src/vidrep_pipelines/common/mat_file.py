"""MATLAB's files of versions 4 and 5 to 7, looked through before they are built.

SciPy makes room for whatever a file says it holds, so that a few wrong bytes ask for gigabytes.
"""

import math
import struct
import zlib
from pathlib import Path
from typing import Any

_HEADER = 128
_MATRIX, _COMPRESSED = 14, 15
_DEEPEST = 8
_MOST_ELEMENTS = 10_000
_LARGEST = 16 * 2**20
"""Bytes, unpacked. The published files have some thousand."""

_MOST_DIMENSIONS = 32
"""Most dimensions of an array; NumPy's own limit."""

_VERSION_4_SIZES = (8, 4, 4, 2, 2, 1)


def read_mat(path: Path, name: str) -> Any:
    """One variable of a file; None if it has none of that name.

    Raises:
        Exception: Nearly any, for a damaged file; the caller knows what to say. Nothing in it is executed.
    """
    from scipy.io import loadmat  # noqa: PLC0415 (slow to import)

    if not path.is_file():
        raise ValueError("it is no regular file")
    content = path.read_bytes()
    if len(content) > _LARGEST:
        raise ValueError(f"it has {len(content)} bytes, too many to be meant")
    if 0 in content[:4]:
        _check_version_4(content)
    else:
        order = {b"IM": "<", b"MI": ">"}.get(content[126:_HEADER])
        if order is None:
            raise ValueError("it has no header of MATLAB")
        _check_elements(content[_HEADER:], order)
    return loadmat(path, variable_names=[name]).get(name)


def _check_version_4(content: bytes) -> None:
    """Every variable has a header of five numbers, its name, and its values."""
    place = 0
    while place < len(content):
        little = struct.unpack_from("<I", content, place)[0] < 10_000
        kind, rows, columns, imaginary, name = struct.unpack_from("<5i" if little else ">5i", content, place)
        width = _VERSION_4_SIZES[kind % 100 // 10] * (2 if imaginary else 1)
        size = 20 + name + rows * columns * width
        if min(kind, rows, columns, name) < 0 or place + size > len(content):
            raise ValueError(f"a variable of {rows} x {columns} values is larger than the file")
        place += size


def _check_elements(content: bytes, order: str, depth: int = 0) -> None:
    """Every element has a kind, a number of bytes, and the bytes; up to four stand in place of the number."""
    if depth > _DEEPEST:
        raise ValueError("it is nested too deeply")
    place = count = 0
    room = _LARGEST
    while place + 8 <= len(content):
        count += 1
        if count > _MOST_ELEMENTS:
            raise ValueError(f"it has more than {_MOST_ELEMENTS} elements")
        kind, size = struct.unpack_from(f"{order}2I", content, place)
        if kind >> 16:
            place += 8
            continue
        body = content[place + 8 : place + 8 + size]
        if len(body) < size:
            raise ValueError("an element is larger than what it lies in")
        if kind == _COMPRESSED:
            if depth:  # SciPy reads none; a few bytes could ask for an unpacking without end
                raise ValueError("an element is compressed within another")
            unpacked = zlib.decompressobj().decompress(body, room + 1)
            room -= len(unpacked)
            if room < 0:
                raise ValueError("its elements would unpack to far more than is meant")
            _check_elements(unpacked, order, depth + 1)
            place += 8 + size
            continue
        if kind == _MATRIX:
            _check_shape(body, order)
            _check_elements(body, order, depth + 1)
        place += 8 + size + -size % 8


def _check_shape(matrix: bytes, order: str) -> None:
    """SciPy makes room for the shape, which is behind 16 bytes of flags, before it sees the values."""
    if len(matrix) < 24:
        return
    size = struct.unpack_from(f"{order}I", matrix, 20)[0]
    if size > 4 * _MOST_DIMENSIONS:
        raise ValueError(f"an array has {size // 4} dimensions")
    shape = struct.unpack_from(f"{order}{size // 4}i", matrix, 24) if size <= len(matrix) - 24 else (-1,)
    if min(shape, default=0) < 0 or math.prod(shape) > len(matrix):
        raise ValueError(f"an array of shape {shape[:4]} is larger than what it lies in")
