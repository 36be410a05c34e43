"""Files of weights from elsewhere, read without executing anything that is in them."""

import argparse
import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from vidrep_pipelines.common.errors import InputError

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
    if not isinstance(content, dict):
        raise InputError(f"{path} holds no weights but a {type(content).__name__}.")
    if entry is not None and entry not in content:
        raise InputError(f"{path} has no entry {entry!r}; it has {some_of(list(map(str, content)))}.")
    weights = content.get("model", content) if entry is None else content[entry]
    strangers = (
        [str(name) for name, value in weights.items() if not isinstance(value, Tensor)]
        if isinstance(weights, dict) and weights
        else ["its content"]
    )
    if strangers:
        raise InputError(
            f"{path} holds no state dict there; no tensors are: {some_of(strangers)}. Remedy: name the key "
            "of the state dict (entry), or save the state dict alone."
        )
    return {str(name): value for name, value in weights.items()}


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


def some_of(names: list[str]) -> str:
    """The first few names, and how many more there are."""
    rest = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {rest} more" if rest > 0 else "")


def read_content(path: Path) -> Any:
    """Reads all of a file: weights, and the numbers, strings and containers that lie beside them.

    Raises:
        InputError: The file is absent, damaged, or asks for code to be run (which is not done).
    """
    if not path.is_file():
        raise InputError(f"There is no file {path}. Download the weights or correct the parameter.")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        # Many published files carry their command line, a class that only holds values.
        with torch.serialization.safe_globals([argparse.Namespace]):
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        reason = str(error).split("\n")[0]
        raise InputError(
            f"{path} was refused and nothing in it was executed: it holds more than weights ({reason}). "
            "Remedy: keep only the state dict and save it as .safetensors."
        ) from error
    except (SafetensorError, RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        reason = str(error).split("\n")[0]
        raise InputError(f"{path} is damaged or incomplete ({reason}). Remedy: copy it again.") from error
