"""Which states of the future go with a context, and the samples that training draws so."""

from dataclasses import dataclass
from math import log
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Dataset

from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.common.seeds import generator_for, seed_for
from vidrep_pipelines.data.token_episodes.episodes import TokenEpisodes
from vidrep_pipelines.models.voc.config import TargetConfig, VocModelConfig

_ATTEMPTS = 1000


@dataclass(frozen=True)
class FutureDraw:
    """A context and a state of its future.

    Attributes:
        episode: Number of the episode.
        step: Step of the context.
        offset: Steps from there to the target.
        bootstrap: Whether to go on from the target by the target network.
        seed: Seed of that network's sample.
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
        seed: The run's seed.
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


class OccupancySamples(Dataset[dict[str, Any]]):
    """Every step of every episode as a context, numbered through; what is drawn follows from the seed.

    Args:
        episodes: Tokens, actions and rewards.
        model: What a state is.
        target: Which state of the future goes with it.
        seed: The run's seed.

    Raises:
        ConfigurationError: Tokens and model do not match, or a reward head or actions are wanted that the
            tokens do not support.
    """

    def __init__(
        self, episodes: TokenEpisodes, model: VocModelConfig, target: TargetConfig, seed: int
    ) -> None:
        check_fit(episodes, model)
        self._episodes, self._model, self._target = episodes, model, target
        acts = model.gpt.action_dimension is not None
        self._draws = FutureDraws(episodes.lengths, target, seed, acts=acts)

    def __len__(self) -> int:
        return len(self._draws)

    def place(self, index: int) -> tuple[int, int]:
        """Episode and step of a context.

        Raises:
            IndexError: There is no such context.
        """
        return self._draws.place(index)

    def __getitem__(self, position: tuple[int, int]) -> dict[str, Any]:
        """Makes the sample at ``(epoch, index)``.

        Returns:
            The fields of :class:`~vidrep_pipelines.models.voc.objective.OccupancyBatch` for one sample, with
            ``index`` and ``seed`` (int64).
        """
        epoch, index = map(int, position)
        drawn = self._draws.draw(epoch, index)
        context, following, target = self._episodes.states(
            np.full(3, drawn.episode), drawn.steps, self._model.frame_stack
        )
        rows = self._episodes.outcome_rows(np.full(2, drawn.episode), drawn.steps[[0, 2]])
        sample = {
            "context": context,
            "following": following,
            "target": target,
            "reward": np.float32(self._episodes.rewards[rows[0]]),
            "bootstrap": drawn.bootstrap,
            "index": index,
            "seed": np.int64(drawn.seed),
        }
        if self._model.gpt.action_dimension is not None:
            sample["action"] = self._episodes.actions[rows[0]]
            if self._target.bootstraps:
                sample["target_action"] = self._episodes.actions[rows[1]]
        return sample


def check_fit(episodes: TokenEpisodes, model: VocModelConfig) -> None:
    """Checks that a model can be trained or evaluated on these tokens.

    Raises:
        ConfigurationError: Sizes differ, or the reward head's codebook is missing; says what to set.
    """
    gpt = model.gpt
    wanted = {
        "model.gpt.vocabulary": (gpt.vocabulary, episodes.vocabulary),
        "model.grid": (tuple(model.grid), episodes.grid),
    }
    if gpt.action_dimension is not None:
        wanted["model.gpt.action_dimension"] = (gpt.action_dimension, episodes.actions.shape[1])
    if model.reward is not None:
        if episodes.codebook is None:
            raise ConfigurationError(
                "The tokens come without a codebook, which the reward head needs. Remedy: extract them with "
                "the codebook, or set model.reward to null."
            )
        wanted["model.reward.codebook_dimension"] = (
            model.reward.codebook_dimension,
            episodes.codebook.shape[1],
        )
    frames = int(episodes.lengths.max()) + 1
    if model.frame_stack > frames:
        raise ConfigurationError(
            f"model.frame_stack is {model.frame_stack}, but the longest episode has {frames} frames. Remedy: "
            "a smaller stack, or longer episodes."
        )
    for name, (given, needed) in wanted.items():
        if given != needed:
            raise ConfigurationError(
                f"{name} is {given}, but the tokens have {needed}. Remedy: set {name}: {needed}."
            )
