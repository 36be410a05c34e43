"""Environments that show nothing, and exact states of what was recorded."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from vidrep_pipelines.common.arrays import FloatArray
from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.evaluation.rollouts.protocol import (
    Environment,
    EnvironmentMaker,
    EpisodeStart,
    Observation,
    score_of,
)


class ExactEnvironment(Environment, Protocol):
    """An environment that also tells all that there is to know."""

    @property
    def exact_state(self) -> FloatArray:
        """(S,) numbers of the scene, a target included."""


class ExactEnvironmentMaker(EnvironmentMaker, Protocol):
    """Makes such environments."""

    def make(self) -> ExactEnvironment:
        """A fresh one."""


class BlindEnvironment:
    """An environment that shows nothing, for policies that look at no picture: rendering is most of the work.

    Args:
        environment: One of those that have an ``exact_state``.
        exact: Whether the exact state of the scene is told, in place of what the robot feels.
    """

    def __init__(self, environment: ExactEnvironment, exact: bool) -> None:
        self._environment, self._exact = environment, exact

    @property
    def renderer(self) -> str:
        """That of the environment, so that its episodes are compared with those of others."""
        return self._environment.renderer

    def reset(self, start: EpisodeStart) -> None:
        """Begins an episode."""
        self._environment.reset(start)

    def observe(self, *, pictures: bool) -> Observation:
        """No picture; a state."""
        del pictures  # nothing is rendered
        if self._exact:
            return Observation({}, self._environment.exact_state)
        return self._environment.observe(pictures=False)

    def step(self, action: FloatArray) -> float:
        """As the environment."""
        return self._environment.step(action)

    def succeeded(self) -> bool:
        """As the environment."""
        return self._environment.succeeded()

    def score(self) -> float | None:
        """As the environment, where it has one."""
        return score_of(self._environment)

    def close(self) -> None:
        """Closes the environment."""
        self._environment.close()


@dataclass(frozen=True)
class BlindMaker:
    """Makes environments that show nothing: an :class:`~.protocol.EnvironmentMaker`.

    Attributes:
        maker: Makes what is simulated.
        exact: Whether the exact state of the scene is told, in place of what the robot feels.
    """

    maker: ExactEnvironmentMaker
    exact: bool = False

    @property
    def renderer(self) -> str:
        """That of the environment."""
        return self.maker.renderer

    @property
    def identity(self) -> Mapping[str, Any]:
        """All that its behavior depends on."""
        return {**self.maker.identity, "tells": "exact state" if self.exact else "what is felt"}

    def make(self) -> BlindEnvironment:
        """A fresh one."""
        return BlindEnvironment(self.maker.make(), self.exact)


def replayed_states(environment: Environment, start: EpisodeStart, actions: FloatArray) -> FloatArray:
    """(T, S) states before each of T - 1 recorded actions and after the last, without a picture.

    Raises:
        ConfigurationError: The actions do not do the task again.
    """
    environment.reset(start)
    states = [environment.observe(pictures=False).state]
    succeeded = False
    for action in actions:
        environment.step(action)
        states.append(environment.observe(pictures=False).state)
        succeeded = succeeded or environment.succeeded()
    if not succeeded:
        raise ConfigurationError(
            f"{start.name}: the recorded actions do not do their task again. Remedy: simulate with the "
            "parameters and the version of the simulator that the demonstrations were made with."
        )
    return np.stack(states)
