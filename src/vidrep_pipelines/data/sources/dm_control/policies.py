"""Policies that collect episodes of the DeepMind Control Suite."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.common.seeds import generator_for
from vidrep_pipelines.data.sources.dm_control.actor import read_actor, run_actor
from vidrep_pipelines.data.sources.dm_control.config import ControlBehavior


@dataclass(frozen=True)
class Gait:
    """Actuator a does ``offset_a + amplitude_a sin(2 pi frequency t + phase_a)``, cut to -1..1.

    Attributes:
        frequency: Hertz.
        amplitude: (A,) of the swing.
        phase: (A,) radians.
        offset: (A,) middle of the swing.
    """

    frequency: float
    amplitude: tuple[float, ...]
    phase: tuple[float, ...]
    offset: tuple[float, ...]

    def action(self, seconds: float) -> NDArray[np.float64]:
        """The action (A,) in -1..1 at a time after the start."""
        angle = 2 * np.pi * self.frequency * seconds + np.array(self.phase)
        swing: NDArray[np.float64] = np.array(self.offset) + np.array(self.amplitude) * np.sin(angle)
        return swing.clip(-1, 1)


_GAITS = {
    "cheetah": Gait(
        frequency=2.69,
        amplitude=(1.28, 0.625, 0.869, 0.313, -0.357, 1.265),
        phase=(0.014, 0.343, 0.897, 1.448, 0.65, 2.214),
        offset=(0.295, -0.482, -0.256, -0.633, 0.173, 0.372),
    ),
    "walker": Gait(
        frequency=1.78,
        amplitude=(1.062, 1.132, 0.756, 1.014, 1.211, 0.449),
        phase=(-0.128, -0.693, 0.975, -1.304, 0.534, 0.425),
        offset=(0.296, 0.042, 0.516, 0.123, 0.655, -0.053),
    ),
}
"""Found by a cross-entropy search for a high return in cheetah-run and walker-walk. The cheetah runs, and
sometimes tips over; the walker, which cannot balance without looking, falls and moves on half lying."""


def gait_of(domain: str) -> Gait:
    """The gait of a domain.

    Raises:
        ConfigurationError: There is none.
    """
    if domain not in _GAITS:
        raise ConfigurationError(
            f"dmc.control.behaviors: there is no scripted policy for {domain}, only for "
            f"{', '.join(sorted(_GAITS))}. Remedy: the policy 'smooth' or 'trained'."
        )
    return _GAITS[domain]


_MEMORY = 0.8  # share of a random action that is left one step later
_STRENGTH = 0.7  # standard deviation of smooth actions, as a share of the largest

Act = Callable[[NDArray[np.float32]], NDArray[np.float64]]
"""State (S,) to action (A,) within the task's bounds."""

Wish = Callable[[NDArray[np.float32]], NDArray[np.float64]]
"""State (S,) to action (A,) in -1..1."""


def control_policy(
    behavior: ControlBehavior,
    domain: str,
    seconds: float,
    specification: Any,
    observation: Mapping[str, int],
    seed: int,
) -> Act:
    """The policy of an episode.

    Args:
        behavior: Who acts.
        domain: Domain of the task.
        seconds: Time from one action to the next.
        specification: ``minimum`` and ``maximum`` (A,) of actions.
        observation: Names and sizes of what the task observes.
        seed: Seed of its draws.

    Raises:
        InputError: The trained policy's file cannot be used.
        ConfigurationError: There is no gait for the domain.
    """
    low, high = np.asarray(specification.minimum), np.asarray(specification.maximum)
    rng = generator_for(seed, "policy")
    if behavior.policy == "uniform":
        return lambda state: rng.uniform(low, high)
    if behavior.policy == "smooth":
        return _smooth_policy(low, high, rng)
    wish = (
        _gait_wish(domain, seconds) if behavior.policy == "scripted" else _actor_wish(behavior, observation)
    )

    def act(state: NDArray[np.float32]) -> NDArray[np.float64]:
        wanted = low + (wish(state) + 1) / 2 * (high - low)
        action: NDArray[np.float64] = wanted + behavior.noise * rng.standard_normal(len(low))
        return np.clip(action, low, high)

    return act


def _actor_wish(behavior: ControlBehavior, observation: Mapping[str, int]) -> Wish:
    assert behavior.actor is not None
    layers = read_actor(behavior.actor, observation)
    return lambda state: run_actor(layers, state)


def _gait_wish(domain: str, seconds: float) -> Wish:
    gait, steps = gait_of(domain), iter(range(2**62))
    return lambda state: gait.action(next(steps) * seconds)


def _smooth_policy(low: NDArray[Any], high: NDArray[Any], rng: np.random.Generator) -> Act:
    value = np.zeros(len(low))

    def act(state: NDArray[np.float32]) -> NDArray[np.float64]:
        value[:] = _MEMORY * value + np.sqrt(1 - _MEMORY**2) * rng.standard_normal(len(low))
        middle, half = (low + high) / 2, (high - low) / 2
        action: NDArray[np.float64] = np.clip(middle + _STRENGTH * half * value, low, high)
        return action

    return act
