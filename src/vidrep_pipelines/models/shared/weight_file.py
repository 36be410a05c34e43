"""Files of weights from elsewhere, read without executing anything that is in them."""

import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import load_file
from torch import Tensor

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.common.foreign_weights import check_weight_file
from vidrep_pipelines.models.shared.torch_file import Inert, load_torch_file, refusal

WRAPPER_PREFIXES = ("module.", "backbone.", "base_encoder.")
"""What training wrappers of published code put before the names of an encoder's weights, outermost first."""

_SHOWN = 5


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
        content: Of the file.
        path: The file, for messages.
        entry: As in :func:`read_weights`.

    Raises:
        InputError: There are other things than weights there.
    """
    if isinstance(content, Inert):
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


def check_architecture(
    state: Mapping[str, Tensor],
    expected: Mapping[str, Tensor],
    origin: str,
    *,
    optional: Callable[[str], bool] = lambda name: False,
    what: str = "model's sizes",
    kind: str = "checkpoint was",
) -> None:
    """Compares names and shapes.

    Args:
        state: The weights at hand.
        expected: Those of the model, under the same names.
        origin: What to call the weights in an error, for example the file's name.
        optional: Tells which names of the model may be missing.
        what: What the remedy says to set.
        kind: What the remedy calls the weights, with its verb.

    Raises:
        InputError: They differ; the message lists the first differences.
    """
    found = [f"{name} is missing" for name in expected if name not in state and not optional(name)]
    found += [f"{name} is unknown" for name in state if name not in expected]
    found += [
        f"{name} is {tuple(state[name].shape)}, expected {tuple(value.shape)}"
        for name, value in expected.items()
        if name in state and state[name].shape != value.shape
    ]
    if found:
        raise InputError(
            f"{origin} belongs to another architecture: {some_of(found)}. "
            f"Remedy: set the {what} to those the {kind} trained with."
        )


def differing_names(found: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> list[str]:
    """Names that only one of two sets of weights has, or under which their shapes differ; sorted."""
    return [
        name
        for name in sorted(found.keys() | expected.keys())
        if name not in found or name not in expected or found[name].shape != expected[name].shape
    ]


def some_of(names: list[str]) -> str:
    """The first few names, and how many more there are."""
    rest = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {rest} more" if rest > 0 else "")


def read_content(path: Path) -> Any:
    """Reads all of a file: weights, and the numbers, strings and containers that lie beside them.

    Objects of other programs are :class:`~vidrep_pipelines.models.shared.torch_file.Inert` stand-ins.

    Raises:
        InputError: The file is absent, damaged, or asks for code to be run (which is not done).
    """
    check_weight_file(path)
    try:
        return load_file(path) if path.suffix == ".safetensors" else load_torch_file(path)
    except pickle.UnpicklingError as error:
        raise InputError(
            f"{path} was refused and nothing in it was executed: it holds more than weights "
            f"({refusal(error)}). Remedy: keep only the state dict and save it as .safetensors."
        ) from error
    except Exception as error:  # a damaged file can raise nearly anything
        raise InputError(
            f"{path} is damaged or incomplete ({refusal(error)}). Remedy: copy it again."
        ) from error
