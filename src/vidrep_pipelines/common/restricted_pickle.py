"""Pickles from elsewhere, read without ever running code from them."""

import pickle
from pathlib import Path
from typing import Any

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.common.foreign_file import disguise_of


class _PlainUnpickler(pickle.Unpickler):
    """Builds lists, tuples, dicts, sets, strings and numbers; refuses every class and function."""

    def find_class(self, module_name: str, global_name: str) -> Any:
        raise pickle.UnpicklingError(f"it wants to call {module_name}.{global_name}")


def load_plain_pickle(path: Path) -> Any:
    """Reads a pickle that holds only plain Python containers, strings and numbers.

    Raises:
        InputError: The file is damaged or something else in its place, or asks for anything beyond plain
            data (then nothing was executed).
    """
    if disguise := disguise_of(path):
        raise InputError(f"{path} was not read: {disguise}")
    try:
        with path.open("rb") as file:
            return _PlainUnpickler(file).load()
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist.") from error
    except Exception as error:  # a damaged pickle can raise nearly anything
        raise InputError(
            f"{path} was not read: {error}. Only lists, tuples, strings and numbers are accepted in a "
            "pickle; if you trust the file, convert it to a table yourself."
        ) from error
