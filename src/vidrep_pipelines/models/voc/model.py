"""The occupancy model with its slowly following copy and the reward head."""

from copy import deepcopy

import torch
from torch import Tensor, nn

from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.models.voc.config import VocModelConfig
from vidrep_pipelines.models.voc.gpt import Gpt
from vidrep_pipelines.models.voc.reward_head import RewardHead


class VocModel(nn.Module):
    """GPT, target network and reward head; all of it is in a checkpoint.

    Args:
        config: Sizes.
        codebook: (V, D) vectors of the tokenizer's codes. None: zeros, to be loaded.

    Raises:
        ConfigurationError: The codebook has another shape.
    """

    codebook: Tensor | None

    def __init__(self, config: VocModelConfig, codebook: Tensor | None = None) -> None:
        super().__init__()
        self.config = config
        self.gpt = Gpt(config.gpt, config.state_tokens)
        self.target = deepcopy(self.gpt).requires_grad_(False)
        self.reward_head = None if config.reward is None else RewardHead(config)
        self.register_buffer("codebook", _fitting_codebook(config, codebook))

    def rewards(self, states: Tensor) -> Tensor:
        """Predicted rewards (...) of states (..., T).

        Raises:
            ConfigurationError: The model has no reward head.
        """
        if self.reward_head is None or self.codebook is None:
            raise ConfigurationError(
                "The model has no reward head, so that there are no values. Remedy: set model.reward, and "
                "train on tokens that come with rewards and a codebook."
            )
        rewards: Tensor = self.reward_head(states, self.codebook)
        return rewards

    @torch.no_grad()
    def follow(self, decay: float) -> None:
        """Moves the target network: ``target <- decay * target + (1 - decay) * gpt``."""
        for slow, fast in zip(self.target.parameters(), self.gpt.parameters(), strict=True):
            slow.mul_(decay).add_(fast, alpha=1 - decay)

    def synchronize_target(self) -> None:
        """Makes the target network equal to the trained one."""
        self.target.load_state_dict(self.gpt.state_dict())


def _fitting_codebook(config: VocModelConfig, codebook: Tensor | None) -> Tensor | None:
    if config.reward is None:
        return None
    shape = (config.gpt.vocabulary, config.reward.codebook_dimension)
    if codebook is None:
        return torch.zeros(shape)
    if tuple(codebook.shape) != shape:
        raise ConfigurationError(
            f"The codebook has {codebook.shape[0]} vectors of {codebook.shape[1]} numbers, the model expects "
            f"{shape[0]} of {shape[1]}. Remedy: set model.gpt.vocabulary and "
            "model.reward.codebook_dimension to the tokenizer's sizes."
        )
    return codebook.detach().clone().float()
