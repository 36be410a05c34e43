"""Trained policies as files: weights without code, and beside them what they are for."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from vidrep_pipelines.common.config import FrozenConfig
from vidrep_pipelines.common.errors import InputError

if TYPE_CHECKING:
    from torch import nn

Layers = Sequence[tuple[NDArray[np.float32], NDArray[np.float32]]]
"""Weight (out, in) and bias (out,) of linear layers with ReLU between them and tanh at the end."""


class ActorFacts(FrozenConfig):
    """What a trained policy is for, a JSON file beside the weights."""

    task: str
    """Domain and task, such as ``cheetah_run``."""

    observation: dict[str, int]
    """Names of the suite's observations in their order, and how many numbers each has. Their concatenation
    is what the policy takes."""

    actions: int
    """Numbers in an action, -1..1 each, to be stretched to the task's bounds."""

    action_repeat: int
    """Control steps per action in training."""

    steps: int
    """Actions in training."""

    returns: list[float]
    """Returns of episodes after training, without noise."""


def linear_layers(modules: "Iterable[nn.Module]") -> Layers:
    """Weights and biases of the linear layers among modules that are applied one after the other."""
    from torch import nn  # noqa: PLC0415 - to act, a policy needs no torch

    linear = [module for module in modules if isinstance(module, nn.Linear)]
    return [(module.weight.detach().numpy().copy(), module.bias.detach().numpy().copy()) for module in linear]


def write_actor(weights: Path, facts_path: Path, layers: Layers, facts: ActorFacts) -> None:
    """Writes weights (``layers.<i>.weight`` and ``.bias``, safetensors) and facts (JSON)."""
    names = ("weight", "bias")
    pairs = enumerate(layers)
    tensors = {
        f"layers.{i}.{name}": array for i, pair in pairs for name, array in zip(names, pair, strict=True)
    }
    save_file({name: np.ascontiguousarray(array) for name, array in tensors.items()}, weights)
    facts_path.write_text(facts.model_dump_json(indent=2) + "\n", encoding="utf-8")


def read_actor(path: Path, observation: Mapping[str, int]) -> Layers:
    """Weights and biases of a trained policy.

    Args:
        path: The safetensors file. Facts are read from the JSON file of the same name, where there is one.
        observation: Names and sizes of what the task observes.

    Raises:
        InputError: The file is absent, damaged, or for another task.
    """
    layers, facts = _read_layers(path), _read_facts(path.with_suffix(".json"))
    if facts is not None and list(facts.observation.items()) != list(observation.items()):
        raise InputError(
            f"{path} was trained in {facts.task}, which observes {facts.observation}; this task observes "
            f"{dict(observation)}. Remedy: name a policy of this task, or let the pipeline train one."
        )
    known = layers[0][0].shape[1]
    if known != sum(observation.values()):
        raise InputError(
            f"{path} takes states of {known} numbers, this task has {sum(observation.values())}. Remedy: "
            "name a policy of this task, or let the pipeline train one."
        )
    return layers


def _read_layers(path: Path) -> Layers:
    try:
        weights = load_file(path)
        count = len(weights) // 2
        layers = [(weights[f"layers.{i}.weight"], weights[f"layers.{i}.bias"]) for i in range(count)]
        if not layers:
            raise KeyError("layers.0.weight")
    except (SafetensorError, OSError, KeyError) as error:
        raise InputError(
            f"{path} is no trained policy ({error}). It must hold layers.<i>.weight and layers.<i>.bias."
        ) from error
    return layers


def _read_facts(path: Path) -> ActorFacts | None:
    try:
        return ActorFacts.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as error:
        raise InputError(f"{path} says nothing that is understood about a policy ({error}).") from error


def run_actor(layers: Layers, state: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """The policy's action (A,) in -1..1 in a state (S,)."""
    hidden = state.astype(np.float64)
    for number, (weight, bias) in enumerate(layers):
        hidden = weight @ hidden + bias
        hidden = np.tanh(hidden) if number == len(layers) - 1 else np.maximum(hidden, 0)
    return hidden
