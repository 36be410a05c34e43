"""A trained model of any system: its configuration and weights read, checked strictly, ready for use."""

import json
from collections.abc import Callable, Hashable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar, cast

from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from vidrep_pipelines.common.config import FrozenConfig
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.models.shared.weight_file import some_of

_Data = TypeVar("_Data", bound=FrozenConfig)
_Model = TypeVar("_Model", bound=FrozenConfig)
_Module = TypeVar("_Module", bound=nn.Module)
_Source = TypeVar("_Source", bound=Hashable)
_Trained = TypeVar("_Trained")

_KEPT = 8
"""Models that a process keeps: one for each GPU of a machine."""


def read_checkpoint(
    folder: Path, data: type[_Data], model: type[_Model], *, system: str, pipeline: str
) -> tuple[_Data, _Model, dict[str, Tensor]]:
    """Reads a checkpoint of the catalog: ``config.json`` and ``model.safetensors``.

    Args:
        folder: Holds them.
        data: Class of the configuration's part ``data``.
        model: Class of the configuration's part ``model``.
        system: What the checkpoint should be of, for messages.
        pipeline: What makes such a checkpoint, for messages.

    Returns:
        Both parts of the configuration, and the weights under our names.

    Raises:
        InputError: The folder holds no such checkpoint.
    """
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        parts = data.model_validate(config["data"]), model.model_validate(config["model"])
        return *parts, load_file(folder / "model.safetensors")
    except (OSError, ValueError, KeyError, TypeError, ValidationError, SafetensorError) as error:
        raise InputError(
            f"{folder} holds no checkpoint of {system} ({error}). Remedy: run {pipeline}."
        ) from error


def trained_model(
    model: _Module,
    state: Mapping[str, Tensor],
    *,
    optional: Callable[[str], bool] = lambda name: False,
) -> _Module:
    """The model of a checkpoint of the catalog, for use: with its weights and in evaluation mode.

    Args:
        model: The model that the checkpoint's configuration builds.
        state: Weights under our names.
        optional: Names that may be missing, as in :func:`load_strictly`.

    Raises:
        InputError: They are of another architecture.
    """
    load_strictly(model, state, "The checkpoint", optional=optional)
    return model.eval()


def load_strictly(
    model: nn.Module,
    state: Mapping[str, Tensor],
    origin: str,
    *,
    optional: Callable[[str], bool] = lambda name: False,
) -> None:
    """Loads weights under our names so that none is missing, unknown or of another size.

    Args:
        model: Receives them.
        state: The weights, on any device and of any floating type.
        origin: What to call them in an error, for example the file's name.
        optional: Tells which names of the model may be absent; the model keeps what it has.

    Raises:
        InputError: They are of another architecture; the message names the tensors.
    """
    own = model.state_dict()
    check_architecture(state, own, origin, optional=optional)
    model.load_state_dict({**own, **state})


def check_architecture(
    state: Mapping[str, Tensor],
    expected: Mapping[str, Tensor],
    origin: str,
    *,
    optional: Callable[[str], bool] = lambda name: False,
) -> None:
    """Compares names and shapes.

    Args:
        state: The weights at hand.
        expected: Those of the model, under the same names.
        origin: What to call the weights in an error, for example the file's name.
        optional: Tells which names of the model may be missing.

    Raises:
        InputError: They differ; the message lists the first differences.
    """
    differences = [f"{name} is missing" for name in expected if name not in state and not optional(name)]
    differences += [f"{name} is unknown" for name in state if name not in expected]
    differences += [
        f"{name} is {tuple(state[name].shape)}, expected {tuple(value.shape)}"
        for name, value in expected.items()
        if name in state and state[name].shape != value.shape
    ]
    if differences:
        raise InputError(
            f"{origin} belongs to another architecture: {some_of(differences)}. "
            "Remedy: set the model's name or sizes to those the weights were trained with."
        )


def loaded_once(
    load: Callable[[_Source, str], _Trained], source: _Source, version: str, device: str
) -> _Trained:
    """A trained model; a worker process loads it once for all its items.

    Args:
        load: Loads a source to a device.
        source: Where the model is.
        version: Digest of its weights, so that a process that outlives a training never uses the old ones.
        device: Where it is to be.
    """
    return cast(_Trained, _loaded(load, source, version, device))


@lru_cache(maxsize=_KEPT)
def _loaded(load: Callable[[Any, str], Any], source: Hashable, version: str, device: str) -> Any:
    del version  # part of the key
    return load(source, device)
