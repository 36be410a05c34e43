"""Which state of the future goes with a context."""

from dataclasses import dataclass
from math import log

import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.common.seeds import generator_for, seed_for
from vidrep_pipelines.models.voc.config import TargetConfig

_ATTEMPTS = 1000


@dataclass(frozen=True)
class FutureDraw:
    """A context and a state of its future.

    Attributes:
        episode: Number of the episode.
        step: Of the context.
        offset: Steps from there to the target.
        bootstrap: Whether to go on from the target by the target network.
        seed: For that network's sample.
    """

    episode: int
    step: int
    offset: int
    bootstrap: bool
    seed: int

    @property
    def steps(self) -> NDArray[np.int64]:
        """(3,) steps of the context, the state that follows it, and the target."""
        return np.array([self.step, self.step + 1, self.step + self.offset])


class FutureDraws:
    """Every step of every episode as a context, numbered through; what is drawn follows from the seed.

    Args:
        lengths: (E,) steps of the episodes.
        target: Which state of the future goes with a context.
        seed: Of the run.
        acts: Whether the model is conditioned on actions.

    Raises:
        ConfigurationError: No episode is long enough.
    """

    def __init__(self, lengths: NDArray[np.int64], target: TargetConfig, seed: int, *, acts: bool) -> None:
        self._lengths, self._target, self._seed = lengths, target, seed
        # With actions, the state that is bootstrapped from needs one too, which the last state lacks.
        self._spare = int(acts and target.bootstraps)
        self._starts = np.concatenate([[0], np.cumsum(np.maximum(lengths - self._spare, 0))])
        if len(self) == 0:
            raise ConfigurationError("The episodes are too short for this target: two steps are needed.")

    def __len__(self) -> int:
        return int(self._starts[-1])

    def place(self, index: int) -> tuple[int, int]:
        """Episode and step of a context.

        Raises:
            IndexError: There is no such context.
        """
        if not 0 <= index < len(self):
            raise IndexError(f"there are {len(self)} contexts, not {index}")
        episode = int(np.searchsorted(self._starts, index, side="right")) - 1
        return episode, index - int(self._starts[episode])

    def draw(self, epoch: int, index: int) -> FutureDraw:
        """The draw for a context in a pass over the data."""
        rng = generator_for(self._seed, epoch, index, "target")
        episode, step = self.place(index)
        if self._target.kind == "geometric":
            episode, step, offset = self._geometric(episode, step, rng)
            bootstrap = False
        else:
            offset, bootstrap = self._bootstrapped(episode, step, rng)
        return FutureDraw(episode, step, offset, bootstrap, seed_for(self._seed, epoch, index, "sample"))

    def _bootstrapped(self, episode: int, step: int, rng: np.random.Generator) -> tuple[int, bool]:
        """Offset of the target, and whether to go on from there by the target network."""
        left = int(self._lengths[episode]) - self._spare - step
        return bootstrapped_offset(rng.random(), self._target.gamma, min(self._target.steps, left))

    def _geometric(self, episode: int, step: int, rng: np.random.Generator) -> tuple[int, int, int]:
        """A context and an offset inside its episode; both are drawn again until they are."""
        for _ in range(_ATTEMPTS):
            offset = geometric_offset(rng.random(), self._target.gamma)
            if step + offset <= self._lengths[episode]:
                return episode, step, offset
            episode, step = self.place(int(rng.integers(len(self))))
        return episode, step, int(self._lengths[episode]) - step


def geometric_offset(uniform: float, gamma: float) -> int:
    """The k >= 1 with probability ``(1 - gamma) gamma^(k - 1)`` that a uniform number in [0, 1) picks."""
    return 1 + int(log(max(uniform, 1e-300)) / log(gamma))


def bootstrapped_offset(uniform: float, gamma: float, steps: int) -> tuple[int, bool]:
    """Offset in 1..``steps`` of an n-step target, and whether it is bootstrapped from.

    With ``steps`` = 1 the bootstrap is taken exactly if ``uniform < gamma``, as published.
    """
    if uniform < gamma**steps:
        return steps, True
    return min(geometric_offset(uniform, gamma), steps), False
