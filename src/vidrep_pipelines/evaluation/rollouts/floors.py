"""Who knows nothing, or is told something else: what every number of a policy has to be compared with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from vidrep_pipelines.common.arrays import FloatArray
from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.common.seeds import generator_for
from vidrep_pipelines.evaluation.rollouts.protocol import EpisodeStart, PlanRequest


class StillPolicy:
    """The same action at all times.

    Args:
        action: (A,) that leaves the robot where it is.
        chunk_length: Actions T of a plan.
    """

    def __init__(self, action: Sequence[float], chunk_length: int) -> None:
        self._action, self.chunk_length = np.array(action, np.float64), chunk_length

    def plan(self, requests: Sequence[PlanRequest]) -> FloatArray:
        """(B, T, A): the action again and again."""
        return np.tile(self._action, (len(requests), self.chunk_length, 1))


class UniformPolicy:
    """Actions drawn evenly from their range, each plan from its own seed.

    Args:
        low: (A,) lowest numbers.
        high: (A,) highest ones.
        chunk_length: Actions T of a plan.
    """

    def __init__(self, low: Sequence[float], high: Sequence[float], chunk_length: int) -> None:
        self._low, self._high, self.chunk_length = np.array(low), np.array(high), chunk_length

    def plan(self, requests: Sequence[PlanRequest]) -> FloatArray:
        """(B, T, A) by chance."""
        shape = (self.chunk_length, len(self._low))
        drawn = [
            np.random.default_rng(request.seed).uniform(self._low, self._high, shape) for request in requests
        ]
        return np.stack(drawn)


@dataclass(frozen=True)
class StillMaker:
    """Makes a :class:`StillPolicy`.

    Attributes:
        action: (A,) that leaves the robot where it is.
        chunk_length: Actions of a plan.
    """

    action: tuple[float, ...]
    chunk_length: int = 1

    @property
    def identity(self) -> Mapping[str, Any]:
        """What it does."""
        return {"policy": "still", "action": list(self.action)}

    def make(self) -> StillPolicy:
        """The policy."""
        return StillPolicy(self.action, self.chunk_length)


@dataclass(frozen=True)
class UniformMaker:
    """Makes a :class:`UniformPolicy`.

    Attributes:
        low: (A,) lowest numbers.
        high: (A,) highest ones.
        chunk_length: Actions of a plan.
    """

    low: tuple[float, ...]
    high: tuple[float, ...]
    chunk_length: int

    @property
    def identity(self) -> Mapping[str, Any]:
        """What it does."""
        return {
            "policy": "uniform",
            "low": list(self.low),
            "high": list(self.high),
            "chunk": self.chunk_length,
        }

    def make(self) -> UniformPolicy:
        """The policy."""
        return UniformPolicy(self.low, self.high, self.chunk_length)


def with_other_instructions(
    starts: Sequence[EpisodeStart], instructions: Mapping[str, str], block: str, seed: int = 0
) -> list[EpisodeStart]:
    """The same starts with the instruction of another task, drawn for each.

    Args:
        starts: What episodes begin with.
        instructions: Of all tasks.
        block: The block of parameters that names tasks.
        seed: Of the draws.

    Raises:
        ConfigurationError: There is one task only.
    """
    if len(instructions) < 2:
        raise ConfigurationError(
            f"The condition 'swapped' tells the instruction of another task, and {next(iter(instructions))} "
            f"is the only one. Remedy: name a second in {block}.tasks, or leave 'swapped' out of "
            "rollout.conditions."
        )
    swapped = []
    for start in starts:
        others = [task for task in instructions if task != start.task]
        chosen = others[int(generator_for(seed, "another task", start.name).integers(len(others)))]
        swapped.append(replace(start, instruction=instructions[chosen]))
    return swapped
