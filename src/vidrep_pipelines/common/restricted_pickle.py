"""Pickles from elsewhere, read without ever running code from them."""

import io
import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.common.foreign_file import disguise_of, plain_disguise_of
from vidrep_pipelines.common.pickle_bounds import check_pickle

StandIns = Mapping[tuple[str, str], Callable[..., Any]]
"""What is called in place of a module's function or class; all others are refused."""

_NOTHING: StandIns = MappingProxyType({})


class _RestrictedUnpickler(pickle.Unpickler):
    """Builds lists, tuples, dicts, sets, strings and numbers; refuses every class and function but a few."""

    def __init__(self, file: io.BytesIO, stand_ins: StandIns) -> None:
        super().__init__(file)
        self._stand_ins = stand_ins

    def find_class(self, module_name: str, global_name: str) -> Any:
        try:
            return self._stand_ins[module_name, global_name]
        except KeyError:
            raise pickle.UnpicklingError(f"it wants to call {module_name}.{global_name}") from None


def load_plain_pickle(path: Path) -> Any:
    """Reads a pickle that holds only plain Python containers, strings and numbers.

    Raises:
        InputError: The file is damaged, asks for anything beyond plain data, or would grow without bounds
            (then nothing was executed).
    """
    return load_restricted_pickle(
        path,
        _NOTHING,
        "Only lists, tuples, strings and numbers are accepted in a pickle; if you trust the file, convert it "
        "to a table yourself.",
    )


def load_restricted_pickle(path: Path, stand_ins: StandIns, accepted: str) -> Any:
    """Reads a pickle in which some functions of other modules are stood in for by the project's own.

    Args:
        path: The file.
        stand_ins: What is called in place of each. They must not trust their arguments.
        accepted: A sentence for the error: what may be in the file, or what helps.

    Raises:
        InputError: The file is damaged, asks for anything else, or would grow without bounds (then nothing
            was executed).
    """
    if disguise := disguise_of(path) or plain_disguise_of(path):
        raise InputError(f"{path} was not read: {disguise}")
    try:
        return loads_restricted(path.read_bytes(), stand_ins)
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist.") from error
    except Exception as error:  # a damaged pickle can raise nearly anything
        raise InputError(f"{path} was not read: {error}. {accepted}") from error


def encoded_bytes(text: str, encoding: str) -> bytes:
    """How the oldest protocols spell bytes; stands in for ``_codecs.encode``."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"bytes are spelled in {encoding!r}")
    return text.encode("latin1")


def empty_bytes() -> bytes:
    """How they spell no bytes; stands in for ``bytes``, which could be asked for very many."""
    return b""


def loads_restricted(content: bytes, stand_ins: StandIns) -> Any:
    """Like :func:`load_restricted_pickle`, from bytes.

    Raises:
        Exception: Nearly any; the caller knows what to say.
    """
    check_pickle(io.BytesIO(content))
    return _RestrictedUnpickler(io.BytesIO(content), stand_ins).load()
