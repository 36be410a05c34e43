"""Files of weights: those from elsewhere, read without executing anything that is in them, and our own."""

import logging
import pickle
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import torch
from safetensors.torch import load_file, save
from torch import Tensor

from vidrep_pipelines.common.atomic import atomic_file
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.common.foreign_weights import check_weight_file
from vidrep_pipelines.common.pickle_bounds import check_saved_tensors, classes_in_saved_tensors

_log = logging.getLogger(__name__)

WRAPPER_PREFIXES = ("module.", "backbone.", "base_encoder.")
"""What training wrappers of published code put before the names of an encoder's weights, outermost first."""

_SHOWN = 5
_ZIP = b"PK\x03\x04"
_COLORS = re.compile(r"\x1b\[[0-9;]*m")
_REFUSED = re.compile(r"(?:GLOBAL|global:?|function)\s+<?(?:class|function)?\s*'?([\w.]+\.\w+)")


def read_weights(path: Path, entry: str | None = None) -> dict[str, Tensor]:
    """Reads a state dict.

    Args:
        path: A ``.safetensors`` file, or one that ``torch.save`` wrote.
        entry: Key of the state dict inside the file. None: ``"model"`` if there is such a key, else the
            content itself.

    Raises:
        InputError: The file is absent, damaged, holds other things than weights there, or asks for code to be
            run (which is not done).
    """
    return state_dict_in(read_content(path), path, entry)


def state_dict_in(content: Any, path: Path, entry: str | None = None) -> dict[str, Tensor]:
    """The state dict inside what :func:`read_content` gave.

    Args:
        content: The file's bytes.
        path: The file, for messages.
        entry: The entry, as in :func:`read_weights`.

    Raises:
        InputError: There are other things than weights there.
    """
    if isinstance(content, _Inert):
        raise InputError(
            f"{path} holds no weights but an object of the program {type(content).__name__}, which is not "
            "run. Remedy: there, save its state_dict() as .safetensors."
        )
    if not isinstance(content, dict):
        raise InputError(f"{path} holds no weights but a {type(content).__name__}.")
    if entry is not None and entry not in content:
        raise InputError(f"{path} has no entry {entry!r}; it has {some_of(_names(content))}.")
    weights = content.get("model", content) if entry is None else content[entry]
    strangers = (
        _names({name: value for name, value in weights.items() if not isinstance(value, Tensor)})
        if isinstance(weights, dict) and weights
        else ["its content"]
    )
    if strangers:
        raise InputError(
            f"{path} holds no state dict there; no tensors are: {some_of(strangers)}. Remedy: name the key "
            "of the state dict (entry), or save the state dict alone."
        )
    return dict(zip(_names(weights), weights.values(), strict=True))


def _names(content: Mapping[Any, Any]) -> list[str]:
    """The keys as text; of a strange one only its type, for a small pickle may hold one that never ends."""
    return [str(name) if isinstance(name, str | int) else type(name).__name__ for name in content]


def without_wrappers(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same weights, with the wrappers' prefixes taken off the names."""
    unwrapped = {}
    for name, value in state.items():
        for prefix in WRAPPER_PREFIXES:
            name = name.removeprefix(prefix)  # noqa: PLW2901
        unwrapped[name] = value
    return unwrapped


def differing_names(state: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> list[str]:
    """Names that only one of two sets of weights has, or under which their shapes differ; sorted."""
    return [
        name
        for name in sorted(state.keys() | expected.keys())
        if name not in state or name not in expected or state[name].shape != expected[name].shape
    ]


def some_of(names: list[str]) -> str:
    """The first few names, and how many more there are."""
    rest = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {rest} more" if rest > 0 else "")


def read_content(path: Path) -> Any:
    """Reads all of a file: weights, and the numbers, strings and containers that lie beside them.

    Objects of other programs are :class:`~vidrep_pipelines.models.shared.weight_file._Inert` stand-ins.

    Raises:
        InputError: The file is absent, damaged, or asks for code to be run (which is not done).
    """
    check_weight_file(path)
    try:
        return load_file(path) if path.suffix == ".safetensors" else _load_torch_file(path)
    except pickle.UnpicklingError as error:
        raise InputError(
            f"{path} was refused and nothing in it was executed: it holds more than weights "
            f"({_refusal(error)}). Remedy: keep only the state dict and save it as .safetensors."
        ) from error
    except Exception as error:  # a damaged file can raise nearly anything
        raise InputError(
            f"{path} is damaged or incomplete ({_refusal(error)}). Remedy: copy it again."
        ) from error


def write_weights(state: Mapping[str, Tensor], path: Path) -> None:
    """Writes a safetensors file, unless it holds exactly these weights already.

    So a run that is finished can be gone through again where nothing can be written.
    """
    content = save({name: value.contiguous() for name, value in state.items()})
    if path.is_file() and path.stat().st_size == len(content) and path.read_bytes() == content:
        return
    with atomic_file(path) as temporary:
        temporary.write_bytes(content)


def _load_torch_file(path: Path) -> Any:
    """All of a file; what is neither a tensor nor plain data is an :class:`_Inert` stand-in.

    Raises:
        pickle.UnpicklingError: It asks for something that cannot be stood in for; nothing was executed.
        ValueError: It would unpack to more than it holds.
        RuntimeError: It is damaged, or a program (TorchScript), which is not run.
    """
    with path.open("rb") as file:
        check_saved_tensors(file)
        try:
            return _load_safely(path)
        except pickle.UnpicklingError:
            names = classes_in_saved_tensors(file)
    stand_ins: list[Any] = [(type(name, (_Inert,), {}), name) for name in sorted(names)]
    with torch.serialization.safe_globals(stand_ins):
        content = _load_safely(path)
    _log.info("%s: read without the classes of other programs that are in it", path)
    return content


def _load_safely(path: Path) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that TorchScript was found, before it is refused
        return torch.load(path, map_location="cpu", weights_only=True)


class _Inert:
    """Stands in for an object of another program's class; the class of each is named like the original.

    PyTorch's own reader builds tensors and plain containers and refuses the rest. Training programs put more
    beside the weights: callbacks, configurations, loggers. A stand-in takes whatever it is given and keeps
    nothing, so that the weights beside it can be read.
    """

    def __new__(cls, *args: object, **kwargs: object) -> Self:
        """Takes what the original's constructor took."""
        return super().__new__(cls)

    def __init__(self, *args: object, **kwargs: object) -> None:
        """Keeps nothing."""

    def __setstate__(self, state: object) -> None:
        """Keeps nothing."""


def _refusal(error: Exception) -> str:
    """What PyTorch refused, in one line without the colors and advice of its message."""
    lines = [line.strip() for line in _COLORS.sub("", str(error)).splitlines() if line.strip()]
    for line in lines:
        if refused := _REFUSED.search(line):
            return f"it wants to use {refused[1]}"
    return lines[0] if lines else type(error).__name__
