"""Training samples: contexts of token episodes, each with a state of its future."""

from typing import Any

import numpy as np
from torch.utils.data import Dataset

from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.models.voc.config import TargetConfig, VocModelConfig
from vidrep_pipelines.models.voc.draws import FutureDraws
from vidrep_pipelines.models.voc.token_episodes import TokenEpisodes


class OccupancySamples(Dataset[dict[str, Any]]):
    """Every step of every episode as a context, numbered through; what is drawn follows from the seed.

    Args:
        episodes: Tokens, actions and rewards.
        model: What a state is.
        target: Which state of the future goes with it.
        seed: Of the run.

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
    for name, (given, found) in wanted.items():
        if given != found:
            raise ConfigurationError(
                f"{name} is {given}, but the tokens have {found}. Remedy: set {name}: {found}."
            )
