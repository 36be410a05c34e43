"""Published CARL checkpoints: read, checked, written, in both directions and without losing a tensor."""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vidrep_pipelines.models.carl.config import CarlModelConfig
from vidrep_pipelines.models.carl.model import CarlModel
from vidrep_pipelines.models.carl.original_names import original_name, our_name
from vidrep_pipelines.models.carl.parameter_groups import parameter_groups
from vidrep_pipelines.models.shared.weight_file import check_architecture, read_content, state_dict_in

_WEIGHTS_ENTRY, _SETTINGS_ENTRY = "model_state", "cfg"
_COUNTER = "num_batches_tracked"
# The published files keep their settings in this class; an ordered dict is the dict with attributes that the
# restricted unpickler can fill.
_SETTINGS_CLASSES: list[Any] = [(OrderedDict, "easydict.EasyDict")]


@dataclass(frozen=True)
class CarlCheckpoint:
    """A published checkpoint.

    Attributes:
        weights: Under the published names.
        settings: The configuration of its training, as nested dicts; empty if the file holds none.
        epoch: The finished epoch, counted from 0; None if the file does not say.
    """

    weights: dict[str, Tensor]
    settings: dict[str, Any] = field(default_factory=dict)
    epoch: int | None = None


def load_original(path: Path) -> CarlCheckpoint:
    """Reads a published ``checkpoint_epoch_<n>.pth``, a bare state dict, or ``.safetensors``.

    Nothing in the file is executed.

    Raises:
        InputError: The file is absent, damaged, of another kind, or asks for code to be run.
    """
    with torch.serialization.safe_globals(_SETTINGS_CLASSES):
        content = read_content(path)
    if isinstance(content, dict) and _WEIGHTS_ENTRY in content:
        weights = state_dict_in(content, path, _WEIGHTS_ENTRY)
        settings, epoch = _plain(content.get(_SETTINGS_ENTRY) or {}), content.get("epoch")
        return CarlCheckpoint(weights, settings, epoch if isinstance(epoch, int) else None)
    return CarlCheckpoint(state_dict_in(content, path))


def _plain(settings: Any) -> Any:
    if isinstance(settings, Mapping):
        return {str(name): _plain(value) for name, value in settings.items()}
    if isinstance(settings, list | tuple):
        return [_plain(value) for value in settings]
    return settings


def from_original(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Renames published weights to ours.

    Raises:
        InputError: A name is not one of the published model's.
    """
    return {our_name(name.removeprefix("module.")): value for name, value in state.items()}


def to_original(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Renames our weights to the published names.

    Raises:
        InputError: A name is not one of our model's.
    """
    return {original_name(name): value for name, value in state.items()}


def load_into(model: CarlModel, state: Mapping[str, Tensor], origin: str) -> None:
    """Loads published weights into the model; every tensor must be there and fit.

    Only the counters of batch norms may be missing: nothing is computed from them.

    Args:
        model: Receives the weights.
        state: Weights under the published names.
        origin: What to call them in an error, for example the file's name.

    Raises:
        InputError: Another architecture.
    """
    own, renamed = model.state_dict(), from_original(state)
    _check(renamed, own, origin)
    model.load_state_dict(own | renamed)


def trained_model(config: CarlModelConfig, state: Mapping[str, Tensor]) -> CarlModel:
    """The model of a checkpoint of ours, for use: in evaluation mode.

    Args:
        config: The model that was trained.
        state: Weights under our names.

    Raises:
        InputError: They are of another architecture.
    """
    model = CarlModel(config)
    _check(state, model.state_dict(), "The checkpoint")
    model.load_state_dict(model.state_dict() | dict(state))
    return model.eval()


def original_checkpoint(
    state: Mapping[str, Tensor],
    *,
    epoch: int,
    settings: Mapping[str, Any],
    optimizer: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The content of a checkpoint in the published layout, to be written by ``torch.save``.

    Args:
        state: Our model's state dict.
        epoch: The finished epoch, counted from 0.
        settings: The configuration under its published names, see ``original_settings``; written as plain
            dicts, so that the file can be read as weights only.
        optimizer: Optimizer state in the published order, see :func:`original_optimizer_state`.
    """
    return {
        "epoch": epoch,
        _WEIGHTS_ENTRY: to_original(state),
        "optimizer_state": dict(optimizer or {}),
        _SETTINGS_ENTRY: _plain(settings),
    }


def original_optimizer_state(optimizer: torch.optim.Optimizer, model: CarlModel) -> dict[str, Any]:
    """The state of an optimizer of ``model``, numbered as the published training numbers its parameters."""
    options = {name: value for name, value in optimizer.param_groups[0].items() if name != "params"}
    states: dict[int, Any] = {}
    groups: list[dict[str, Any]] = []
    for group in parameter_groups(model, options["weight_decay"]):
        numbers = range(len(states), len(states) + len(group["params"]))
        pairs = zip(numbers, group["params"], strict=True)
        states.update({number: optimizer.state[parameter] for number, parameter in pairs})
        groups.append({**options, "params": list(numbers)})
    return {"state": states, "param_groups": groups}


def _check(state: Mapping[str, Tensor], expected: Mapping[str, Tensor], origin: str) -> None:
    check_architecture(state, expected, origin, optional=lambda name: name.endswith(_COUNTER))
