"""Policies that collect episodes of the DeepMind Control Suite."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from safetensors import SafetensorError
from safetensors.numpy import load_file

from vidrep_pipelines.common.config import FrozenConfig
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.common.seeds import generator_for

_MEMORY = 0.8  # share of a random action that is left one step later
_STRENGTH = 0.7  # standard deviation of smooth actions, as a share of the largest

Act = Callable[[NDArray[np.float32]], NDArray[np.float64]]
"""State (S,) to action (A,)."""

Layers = list[tuple[NDArray[np.float32], NDArray[np.float32]]]


class ControlBehavior(FrozenConfig):
    """Who acts."""

    policy: Literal["uniform", "smooth", "actor"] = "smooth"
    """``uniform``: independent uniform actions. ``smooth``: random actions that last a few steps. ``actor``:
    a trained policy of states."""

    actor: Path | None = None
    """The trained policy, ``.safetensors`` with ``layers.<i>.weight`` and ``.bias``: linear layers with ReLU
    between them and tanh at the end, from the suite's observation (keys in their order, concatenated)."""

    noise: float = Field(0.0, ge=0)
    """Standard deviation of what is added to the actor's actions."""


def control_policy(behavior: ControlBehavior, specification: Any, seed: int) -> Act:
    """The policy of an episode.

    Args:
        behavior: Who acts.
        specification: ``minimum`` and ``maximum`` (A,) of actions.
        seed: Of its draws.

    Raises:
        InputError: The actor's file cannot be used.
    """
    low, high = np.asarray(specification.minimum), np.asarray(specification.maximum)
    rng = generator_for(seed, "policy")
    if behavior.policy == "uniform":
        return lambda state: rng.uniform(low, high)
    if behavior.policy == "smooth":
        return _smooth_policy(low, high, rng)
    assert behavior.actor is not None
    layers = read_actor(behavior.actor)

    def act(state: NDArray[np.float32]) -> NDArray[np.float64]:
        wanted = run_actor(layers, state)
        action = low + (wanted + 1) / 2 * (high - low)
        noisy: NDArray[np.float64] = np.clip(
            action + behavior.noise * rng.standard_normal(len(low)), low, high
        )
        return noisy

    return act


def _smooth_policy(low: NDArray[Any], high: NDArray[Any], rng: np.random.Generator) -> Act:
    value = np.zeros(len(low))

    def act(state: NDArray[np.float32]) -> NDArray[np.float64]:
        value[:] = _MEMORY * value + np.sqrt(1 - _MEMORY**2) * rng.standard_normal(len(low))
        middle, half = (low + high) / 2, (high - low) / 2
        action: NDArray[np.float64] = np.clip(middle + _STRENGTH * half * value, low, high)
        return action

    return act


def read_actor(path: Path) -> Layers:
    """Weights and biases of a trained policy.

    Raises:
        InputError: The file is absent, damaged, or holds something else.
    """
    try:
        weights = load_file(path)
        count = len(weights) // 2
        return [(weights[f"layers.{i}.weight"], weights[f"layers.{i}.bias"]) for i in range(count)]
    except (SafetensorError, OSError, KeyError) as error:
        raise InputError(
            f"{path} is no trained policy ({error}). It must hold layers.<i>.weight and layers.<i>.bias."
        ) from error


def run_actor(layers: Layers, state: NDArray[np.float32]) -> NDArray[np.float64]:
    """The actor's action (A,) in -1..1 in a state (S,).

    Raises:
        InputError: The actor is for states of another size.
    """
    hidden = state.astype(np.float64)
    if layers[0][0].shape[1] != len(hidden):
        raise InputError(
            f"The actor takes states of {layers[0][0].shape[1]} numbers, this task has {len(hidden)}."
        )
    for number, (weight, bias) in enumerate(layers):
        hidden = weight @ hidden + bias
        hidden = np.tanh(hidden) if number == len(layers) - 1 else np.maximum(hidden, 0)
    return hidden
