"""Pickles of plain data and NumPy arrays, read without running NumPy's own code for pickles.

That code trusts the description of an array's type, and a wrong one leads it outside of its memory. Here only
plain types are accepted, and their bytes are counted.
"""

import io
import math
import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.common.foreign_file import disguise_of
from vidrep_pipelines.common.npz import read_npy_header
from vidrep_pipelines.common.restricted_pickle import (
    empty_bytes,
    encoded_bytes,
    load_restricted_pickle,
    loads_restricted,
)

_ACCEPTED = "Only containers, text, numbers and plain arrays are accepted; nothing was executed."
_NPY = b"\x93NUMPY"
_PLAIN_KINDS = "biufcSU"
_OBJECT = "O8"


class _Type:
    """Description of an array's type.

    Attributes:
        name: NumPy's short name, such as f4; its byte order follows.
    """

    def __init__(self, name: str | bytes, align: object = False, copy: object = True) -> None:
        self.name = name.decode("ascii") if isinstance(name, bytes) else str(name)
        self._order = "="

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        """Only the byte order counts; fields, sub-arrays and sizes of a type's own are refused."""
        order, rest = state[1], state[2:5]
        if order not in {"<", ">", "|", "="} or any(part is not None for part in rest):
            raise pickle.UnpicklingError("an array has a type of its own")
        self._order = order

    @property
    def is_object(self) -> bool:
        return self.name in {_OBJECT, "O"}

    def plain(self) -> np.dtype[Any]:
        """NumPy's type.

        Raises:
            pickle.UnpicklingError: It is none of the plain ones.
        """
        is_plain = self.name[:1] in _PLAIN_KINDS and self.name[1:].isdigit()
        kind = np.dtype(self._order + self.name) if is_plain else None
        if kind is None or kind.kind not in _PLAIN_KINDS or not kind.itemsize:
            raise pickle.UnpicklingError(f"an array has the type {self.name!r}")
        return kind


class _Array:
    """An array whose content follows.

    Attributes:
        value: The array, once it came.
    """

    def __init__(self, *_: object) -> None:
        self.value: NDArray[Any] | None = None

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, kind, by_columns, content = state
        order: Literal["F", "C"] = "F" if by_columns and not kind.is_object else "C"
        if kind.is_object:  # listed row by row, however they lay in memory
            values = np.empty(len(content), dtype=object)
            values[:] = content
        else:
            values = np.frombuffer(_bytes_of(content), kind.plain())
        if len(values) != math.prod(shape) or min(shape, default=0) < 0:
            raise pickle.UnpicklingError(f"an array of shape {shape} has {len(values)} values")
        # No copy: many arrays may share their bytes, and a small file could ask for a large one many times.
        self.value = values.reshape(shape, order=order)


def _scalar(kind: _Type, content: bytes | str) -> Any:
    values = np.frombuffer(_bytes_of(content), kind.plain())
    if len(values) != 1:
        raise pickle.UnpicklingError("a number has the wrong size")
    return values[0]


def _bytes_of(content: Any) -> memoryview:
    """Bytes, which the oldest protocols spell as text; not copied."""
    return memoryview(content.encode("latin1") if isinstance(content, str) else content)


def _from_buffer(content: Any, kind: _Type, shape: tuple[int, ...], order: str) -> _Array:
    array = _Array()
    array.__setstate__((1, shape, kind, order == "F", content))
    return array


_STAND_INS: Mapping[tuple[str, str], Callable[..., Any]] = MappingProxyType(
    {
        ("numpy", "dtype"): _Type,
        ("numpy", "ndarray"): _Array,
        ("_codecs", "encode"): encoded_bytes,
        ("__builtin__", "bytes"): empty_bytes,
        **{
            (f"numpy.{core}.{module}", name): stand_in
            for core in ("core", "_core")
            for module, name, stand_in in (
                ("multiarray", "_reconstruct", _Array),
                ("multiarray", "scalar", _scalar),
                ("numeric", "_frombuffer", _from_buffer),
            )
        },
    }
)


def load_array_pickle(path: Path) -> Any:
    """Reads a pickle, or an ``.npy`` file of objects, that holds containers, text, numbers and arrays.

    An ``.npy`` file of one object gives that object.

    Raises:
        InputError: The file is damaged, or asks for anything else (then nothing was executed).
    """
    if disguise := disguise_of(path):
        raise InputError(f"{path} was not read: {disguise}")
    try:
        with path.open("rb") as file:
            is_npy = file.read(len(_NPY)) == _NPY
            content = _objects(path.read_bytes()) if is_npy else None
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist.") from error
    except Exception as error:  # a damaged file can raise nearly anything
        raise InputError(f"{path} was not read: {error}. {_ACCEPTED}") from error
    if is_npy:
        return content
    try:
        return _without_stand_ins(load_restricted_pickle(path, _STAND_INS, _ACCEPTED))
    except (pickle.UnpicklingError, RecursionError) as error:
        raise InputError(f"{path} was not read: {error}. {_ACCEPTED}") from error


def _objects(content: bytes) -> Any:
    """What is behind the header of an ``.npy`` file of objects."""
    stream = io.BytesIO(content)
    _, kind = read_npy_header(stream)
    if not kind.hasobject:
        raise pickle.UnpicklingError("it holds a plain array, no objects")
    array = _without_stand_ins(loads_restricted(stream.read(), _STAND_INS))
    return array.item() if isinstance(array, np.ndarray) and array.shape == () else array


def _without_stand_ins(value: Any) -> Any:
    """The same containers with arrays in place of what stood in for them."""
    match value:
        case _Array(value=None) | _Type() | type():
            raise pickle.UnpicklingError("an array lacks its content")
        case _Array(value=np.ndarray() as array):
            if array.dtype != object:
                return array
            values = np.empty(array.size, dtype=object)
            values[:] = [_without_stand_ins(item) for item in array.ravel()]
            return values.reshape(array.shape)
        case dict():
            return {_without_stand_ins(k): _without_stand_ins(item) for k, item in value.items()}
        case list():
            return [_without_stand_ins(item) for item in value]
        case tuple():
            return tuple(_without_stand_ins(item) for item in value)
        case _:
            return value
