"""Pickles of plain data and tensors, read without ever running code from them."""

import io
import pickle
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from numpy.typing import NDArray
from torch._utils import _rebuild_tensor_v2

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.common.foreign_file import disguise_of

_rebuild: Callable[..., torch.Tensor] = _rebuild_tensor_v2


def _storage(content: bytes) -> Any:
    """A tensor's memory; it is a file of its own inside the pickle, and just as little trusted."""
    return torch.load(io.BytesIO(content), weights_only=True)


def _bytes(text: str, encoding: str) -> bytes:
    """How the oldest protocols spell bytes."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"bytes are spelled in {encoding!r}")
    return text.encode("latin1")


def _array(
    storage: Any, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *rest: object
) -> NDArray[Any]:
    """The values of a tensor; whether gradients were wanted does not matter any more."""
    del rest
    last = offset + sum((count - 1) * step for count, step in zip(size, stride, strict=True))
    there = storage._untyped_storage.nbytes() // storage.dtype.itemsize  # asking the storage itself warns
    if 0 not in size and not 0 <= offset <= last < there:  # torch would enlarge the memory
        raise pickle.UnpicklingError(f"a tensor reaches beyond its memory of {there} numbers")
    tensor: torch.Tensor = _rebuild(storage, offset, size, stride, False, OrderedDict())
    return tensor.numpy().copy()


_STAND_INS: Mapping[tuple[str, str], Callable[..., Any]] = MappingProxyType(
    {
        ("torch._utils", "_rebuild_tensor_v2"): _array,
        ("torch.storage", "_load_from_bytes"): _storage,
        ("collections", "OrderedDict"): OrderedDict,
        ("_codecs", "encode"): _bytes,
    }
)


class _TensorUnpickler(pickle.Unpickler):
    """Builds plain containers, strings, numbers, and arrays where tensors were; refuses everything else."""

    def find_class(self, module_name: str, global_name: str) -> Any:
        try:
            return _STAND_INS[module_name, global_name]
        except KeyError:
            raise pickle.UnpicklingError(f"it wants to call {module_name}.{global_name}") from None


def load_tensor_pickle(path: Path) -> Any:
    """Reads a pickle of plain data and CPU tensors, which become arrays.

    Raises:
        InputError: The file is damaged or something else in its place, or asks for anything else (then
            nothing was executed).
    """
    if disguise := disguise_of(path):
        raise InputError(f"{path} was not read: {disguise}")
    try:
        with path.open("rb") as file:
            return _TensorUnpickler(file).load()
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist.") from error
    except Exception as error:  # a damaged pickle can raise nearly anything
        raise InputError(
            f"{path} was not read: {error}. Only containers, strings, numbers and tensors are accepted."
        ) from error
