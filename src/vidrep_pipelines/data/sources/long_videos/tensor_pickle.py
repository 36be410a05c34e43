"""Pickles of plain data and tensors, read without ever running code from them."""

import io
import math
import pickle
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from numpy.typing import NDArray
from torch._utils import _rebuild_tensor_v2

from vidrep_pipelines.common.pickle_bounds import check_saved_tensors
from vidrep_pipelines.common.restricted_pickle import encoded_bytes, load_restricted_pickle

_rebuild: Callable[..., torch.Tensor] = _rebuild_tensor_v2


def _storage(content: bytes) -> Any:
    """A tensor's memory; it is a file of its own inside the pickle, and just as little trusted."""
    check_saved_tensors(io.BytesIO(content))
    return torch.load(io.BytesIO(content), weights_only=True)


def _array(
    storage: Any, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *rest: object
) -> NDArray[Any]:
    """The values of a tensor, read-only; whether gradients were wanted does not matter any more."""
    del rest
    last = offset + sum((count - 1) * step for count, step in zip(size, stride, strict=True))
    there = storage._untyped_storage.nbytes() // storage.dtype.itemsize  # asking the storage itself warns
    if 0 not in size and not 0 <= offset <= last < there:  # torch would enlarge the memory
        raise pickle.UnpicklingError(f"a tensor reaches beyond its memory of {there} numbers")
    if math.prod(size) > max(there, 1):  # one number that stands for very many
        raise pickle.UnpicklingError(f"a tensor of shape {size} is made of {there} numbers")
    tensor: torch.Tensor = _rebuild(storage, offset, size, stride, False, OrderedDict())
    values: NDArray[Any] = tensor.numpy()
    values.flags.writeable = False  # many may share their memory, which is cheap only while none is copied
    return values


_STAND_INS: Mapping[tuple[str, str], Callable[..., Any]] = MappingProxyType(
    {
        ("torch._utils", "_rebuild_tensor_v2"): _array,
        ("torch.storage", "_load_from_bytes"): _storage,
        ("collections", "OrderedDict"): OrderedDict,
        ("_codecs", "encode"): encoded_bytes,
    }
)


def load_tensor_pickle(path: Path) -> Any:
    """Reads a pickle of plain data and CPU tensors, which become arrays.

    Raises:
        InputError: The file is damaged or something else in its place, or asks for anything else (then
            nothing was executed).
    """
    return load_restricted_pickle(
        path, _STAND_INS, "Only containers, strings, numbers and tensors are accepted."
    )
