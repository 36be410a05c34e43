"""A trained occupancy model as its evaluation sees it."""

import logging
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.token_episodes.episodes import TokenEpisodes
from vidrep_pipelines.evaluation.occupancy.config import OccupancyEvaluationConfig
from vidrep_pipelines.evaluation.occupancy.kept_values import KeptValues
from vidrep_pipelines.evaluation.occupancy.measurement import measure_contexts
from vidrep_pipelines.evaluation.occupancy.state_episode import StateEpisode
from vidrep_pipelines.models.shared.catalog_checkpoint import Checkpoint
from vidrep_pipelines.models.shared.trained import trained_model
from vidrep_pipelines.models.voc.config import VocModelConfig, VocObjectiveConfig
from vidrep_pipelines.models.voc.dataset import check_fit
from vidrep_pipelines.models.voc.inference import OccupancyPredictor
from vidrep_pipelines.models.voc.model import VocModel
from vidrep_pipelines.training.config import LaunchConfig
from vidrep_pipelines.training.distributed import choose_device

_log = logging.getLogger(__name__)


class TokensOnFile(Protocol):
    """A file of token episodes, which is read when it is first asked for them."""

    @property
    def digest(self) -> str:
        """Digest of the content."""

    @property
    def episodes(self) -> TokenEpisodes:
        """The episodes of all splits."""


def measured_values(
    checkpoint: Checkpoint,
    spec: dict[str, Any],
    tokens: TokensOnFile,
    config: OccupancyEvaluationConfig,
    launch: LaunchConfig,
    folder: Path,
) -> pd.DataFrame:
    """What the model says of held-out states, one row each; what was measured before is read again.

    Args:
        checkpoint: The model.
        spec: The specification of the run that trained it.
        tokens: The episodes under the model's tokenizer.
        config: How many states and samples.
        launch: Says on which device.
        folder: Folder of all kept values.

    Raises:
        ConfigurationError: Model and tokens differ in size, or the model has no reward head.
        InputError: They do not belong together, a split is empty, or its episodes are too short.
    """
    kept = KeptValues(folder, checkpoint.digest, tokens.digest, config)
    values = kept.load()
    if values is None:
        values = _measure(checkpoint, tokens.episodes, discount_of(spec), config, launch)
        kept.save(values)
    else:
        _log.info("occupancy: up to date (%d states)", len(values))
    return values


def _measure(
    checkpoint: Checkpoint,
    tokens: TokenEpisodes,
    gamma: float,
    config: OccupancyEvaluationConfig,
    launch: LaunchConfig,
) -> pd.DataFrame:
    held_out = split_of(tokens, config.split, "occupancy.split")
    training = split_of(tokens, config.training_split, "occupancy.training_split")
    model = load_model(checkpoint, tokens, launch)
    return measure_contexts(
        OccupancyPredictor(model),
        state_episodes(held_out, model.config),
        state_episodes(training, model.config),
        gamma=gamma,
        vocabulary=tokens.vocabulary,
        config=config,
    )


def load_model(checkpoint: Checkpoint, tokens: TokenEpisodes, launch: LaunchConfig) -> VocModel:
    """The model in evaluation mode, on the device of the launch.

    Raises:
        ConfigurationError: Tokens and model differ in size.
        InputError: The tokens are those of another tokenizer, or the weights are of another architecture.
    """
    config = VocModelConfig.model_validate(checkpoint.config)
    check_fit(tokens, config)
    model = trained_model(VocModel(config), checkpoint.state_dict())
    known = tokens.codebook
    if model.codebook is not None and known is not None and not np.array_equal(model.codebook.numpy(), known):
        raise InputError(
            f"The model in {checkpoint.directory} was trained on the tokens of another tokenizer: the "
            "codebooks differ. Remedy: train it on these tokens, or evaluate it on those of its tokenizer."
        )
    return model.to(choose_device(launch))


def discount_of(spec: dict[str, Any]) -> float:
    """The discount that a model was trained for, alone or together with its tokenizer."""
    objective = spec["task_config"]["objective"]
    return VocObjectiveConfig.model_validate(objective.get("occupancy", objective)).target.gamma


def split_of(tokens: TokenEpisodes, split: str, parameter: str) -> TokenEpisodes:
    """The episodes of a split.

    Raises:
        InputError: There are none; says which parameter asks for them.
    """
    try:
        return tokens.in_split(split)
    except InputError as error:
        raise InputError(
            f"{error} Remedy: another {parameter}, or a larger share for this split in dmc.store.split."
        ) from error


def state_episodes(tokens: TokenEpisodes, config: VocModelConfig) -> list[StateEpisode]:
    """Episodes as states, with actions if the model is conditioned on them."""
    conditioned = config.gpt.action_dimension is not None
    episodes = []
    for number, name in enumerate(tokens.names):
        rows = tokens.outcomes_of(number)
        actions = tokens.actions[rows].astype(np.float64) if conditioned else None
        states = tokens.states_of(number, config.frame_stack)
        episodes.append(StateEpisode(name, states, tokens.rewards[rows].astype(np.float64), actions))
    return episodes
