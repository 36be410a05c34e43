"""Video Occupancy Models for the training loop: which samples, which model, which loss, which pictures."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from PIL.Image import Image
from pydantic import Field
from torch import Tensor, nn

from vidrep_pipelines.common.seeds import seed_for
from vidrep_pipelines.data.token_episodes.episodes import TokenEpisodes, join_episodes
from vidrep_pipelines.data.token_episodes.file import read_token_episodes
from vidrep_pipelines.models.voc.checkpoint_io import load_into, load_original, load_reward_into
from vidrep_pipelines.models.voc.config import VocModelConfig, VocObjectiveConfig
from vidrep_pipelines.models.voc.dataset import OccupancySamples
from vidrep_pipelines.models.voc.gpt import GptBlock
from vidrep_pipelines.models.voc.model import VocModel, occupancy_groups
from vidrep_pipelines.models.voc.objective import OccupancyBatch, occupancy_objective
from vidrep_pipelines.models.voc.pictures import value_chart
from vidrep_pipelines.models.voc.sampling import draw_uniforms, future_rewards, sample_futures, values_of
from vidrep_pipelines.training.system_task import SystemTask
from vidrep_pipelines.training.task import Batch, Metrics, StepInfo

_STARTS = ("initialize_from", "initialize_reward_from")
_PICTURE_STATES = 48
_PICTURE_SAMPLES = 16


class VocTask(SystemTask[VocModel]):
    """A :class:`~vidrep_pipelines.training.task.Task` that follows updates, for its target network."""

    name: ClassVar[str] = "voc"
    name_in_digests: ClassVar[str] = "vidrep_pipelines.models.voc.task:VocTask"
    not_science: ClassVar[set[str] | dict[str, Any]] = {"tokens", *_STARTS}

    tokens: tuple[Path, ...] = Field(min_length=1)
    """Files of token episodes, all of one tokenizer."""

    split: str = "train"
    """Part of the episodes that is trained on."""

    model: VocModelConfig
    """The architecture."""

    objective: VocObjectiveConfig
    """Target and losses."""

    initialize_from: Path | None = None
    """Weights of the GPT to start from, a checkpoint in the original layout. None: random initialization."""

    initialize_reward_from: Path | None = None
    """Likewise of the reward head."""

    def files_that_count(self) -> dict[str, Path | None]:
        """Weights to start from."""
        return {name: getattr(self, name) for name in _STARTS}

    def build_model(self) -> VocModel:
        """The model with the codebook of the tokens, the target network equal to the trained one.

        Raises:
            InputError: A file cannot be read or holds another network.
            ConfigurationError: The codebook does not fit the model.
        """
        episodes = self.episodes()
        codebook = episodes.codebook
        model = VocModel(self.model, None if codebook is None else torch.from_numpy(codebook))
        if model.reward_head is not None and model.reward_head.standardizes_places:
            assert model.codebook is not None  # a model with a reward head has one
            frequencies = torch.from_numpy(episodes.code_frequencies())
            model.reward_head.fit_inputs(frequencies.repeat(self.model.frame_stack, 1), model.codebook)
        if self.initialize_from is not None:
            load_into(model, load_original(self.initialize_from), str(self.initialize_from))
        if self.initialize_reward_from is not None and model.reward_head is not None:
            state = load_original(self.initialize_reward_from)
            load_reward_into(model.reward_head, state, str(self.initialize_reward_from))
        return model

    def episodes(self) -> TokenEpisodes:
        """The episodes that are trained on.

        Raises:
            InputError: A file cannot be read, the files do not fit together, or none is of the split.
        """
        return join_episodes([read_token_episodes(path) for path in self.tokens]).in_split(self.split)

    def build_dataset(self) -> OccupancySamples:
        """Contexts with a state of their future.

        Raises:
            ConfigurationError: Tokens and model do not match.
        """
        return OccupancySamples(self.episodes(), self.model, self.objective.target, self.seed)

    def item_names(self, indices: Sequence[int]) -> list[str]:
        """Episodes and steps, for error messages."""
        samples, names = self.build_dataset(), self.episodes().names
        places = [samples.place(index) for index in indices]
        return [f"{names[episode]}, step {step}" for episode, step in places]

    def parameter_groups(self, model: VocModel, weight_decay: float) -> list[dict[str, Any]]:
        """The published groups: the GPT's norms and biases without decay, the reward head with its own."""
        constant = self.objective.second_rate == "constant"
        return occupancy_groups(model, weight_decay, constant_second_rate=constant)

    def shard_units(self, model: VocModel) -> list[nn.Module]:
        """The transformer blocks, of the target network too."""
        return [module for module in model.modules() if isinstance(module, GptBlock)]

    def compiled_units(self, model: VocModel) -> list[nn.Module]:
        """The blocks of the trained network; the target network works token by token, in ever new shapes."""
        return list(model.gpt.blocks)

    def loss(self, model: VocModel, batch: Batch, step: StepInfo) -> tuple[Tensor, Metrics]:
        """The loss of a batch of :class:`OccupancySamples`."""
        context = batch["context"]
        uniforms = draw_uniforms(batch["seed"], 1, context.shape[1], context.device)[:, 0]
        samples = OccupancyBatch(
            context=context,
            following=batch["following"],
            reward=batch["reward"],
            target=batch["target"],
            bootstrap=batch["bootstrap"],
            action=batch.get("action"),
            target_action=batch.get("target_action"),
        )
        losses = occupancy_objective(model, samples, uniforms, self.objective)
        return losses.loss, losses.metrics()

    def after_update(self, model: VocModel, step: StepInfo) -> None:
        """Moves the target network."""
        model.follow(self.objective.ema_decay)

    def pictures(self, model: VocModel) -> dict[str, Image]:
        """Predicted values against discounted returns; nothing if the model has no reward head."""
        return {} if model.reward_head is None else {"values": self.values_picture(model)}

    def values_picture(self, model: VocModel) -> Image:
        """Values of states spread over the training episodes, and what their episodes really returned."""
        episodes, samples, gamma = self.episodes(), self.build_dataset(), self.objective.target.gamma
        spread = np.linspace(0, len(samples) - 1, _PICTURE_STATES).astype(np.int64).tolist()
        places = [samples.place(index) for index in spread]
        episode, step = np.array(places, dtype=np.int64).T
        device = next(model.parameters()).device
        action = None
        if self.model.gpt.action_dimension is not None:
            action = torch.from_numpy(episodes.actions[episodes.outcome_rows(episode, step)]).to(device)
        futures = sample_futures(
            model,
            torch.from_numpy(episodes.states(episode, step, self.model.frame_stack)).to(device),
            torch.tensor([seed_for("pictures", self.seed, index) for index in spread]),
            _PICTURE_SAMPLES,
            action=action,
        )
        returns = np.array([episodes.discounted_return(*place, gamma) for place in places])
        values = values_of(future_rewards(model, futures), gamma)
        return value_chart(values.double().cpu().numpy(), returns)
