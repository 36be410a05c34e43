"""The occupancy model with its slowly following copy, and the reward head."""

from copy import deepcopy
from typing import Any

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional as F

from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.models.voc.config import FeatureLayout, VocModelConfig
from vidrep_pipelines.models.voc.gpt import Gpt


def state_features(
    states: Tensor, codebook: Tensor, grid: tuple[int, int], frame_stack: int, layout: FeatureLayout
) -> Tensor:
    """Codebook vectors of all tokens of a state, in the order that a reward head expects.

    Args:
        states: (..., T) codes, oldest frame first and row by row, T = frame_stack * h * w.
        codebook: (V, D).
        grid: h and w.
        frame_stack: Frames of a state.
        layout: Whether channels come before or after the places.

    Returns:
        (..., T * D).
    """
    return arranged(F.embedding(states, codebook), grid, frame_stack, layout)


def arranged(vectors: Tensor, grid: tuple[int, int], frame_stack: int, layout: FeatureLayout) -> Tensor:
    """Vectors (..., T, D) of all tokens of a state to inputs (..., T * D) of a reward head."""
    order = "... (f d h w)" if layout == "channel_major" else "... (f h w d)"
    return rearrange(vectors, f"... (f h w) d -> {order}", f=frame_stack, h=grid[0], w=grid[1])


def standardized(codebook: Tensor) -> Tensor:
    """Codebook (V, D) with mean 0 and deviation 1 in each channel."""
    centered = codebook - codebook.mean(dim=0)
    return centered / centered.std(dim=0, correction=0).clamp(min=1e-8)


_SMALLEST_DEVIATION = 1e-3
"""Of an input of the reward head, as a share of the largest: what varies less is not blown up to 1."""


class RewardHead(nn.Module):
    """A perceptron with two hidden layers on :func:`state_features`.

    Args:
        config: The model's configuration; ``config.reward`` must be set.
    """

    center: Tensor
    scale: Tensor

    def __init__(self, config: VocModelConfig) -> None:
        super().__init__()
        assert config.reward is not None
        self._config, self._layout, self._units = config, config.reward.layout, config.reward.units
        width, inputs = config.reward.width, config.state_tokens * config.reward.codebook_dimension
        if self._units == "standardized_per_place":
            self.register_buffer("center", torch.zeros(inputs))
            self.register_buffer("scale", torch.ones(inputs))
        self.layers = nn.Sequential(
            nn.Linear(inputs, width),
            nn.ReLU(),
            nn.Linear(width, width),
            nn.ReLU(),
            nn.Linear(width, 1),
        )

    def forward(self, states: Tensor, codebook: Tensor) -> Tensor:
        """Rewards (...) of states (..., T), with codebook (V, D)."""
        if self._units == "standardized":
            codebook = standardized(codebook)
        features = self._features(F.embedding(states, codebook))
        if self._units == "standardized_per_place":
            features = (features - self.center) / self.scale
        rewards: Tensor = self.layers(features).squeeze(-1)
        return rewards

    @property
    def standardizes_places(self) -> bool:
        """Whether :meth:`fit_inputs` has to be called before training."""
        return self._units == "standardized_per_place"

    @torch.no_grad()
    def fit_inputs(self, frequencies: Tensor, codebook: Tensor) -> None:
        """Learns mean and deviation of every input, for ``units: standardized_per_place``.

        Args:
            frequencies: (T, V) how often each code is at each place of a state, adding up to 1 per place.
            codebook: (V, D).
        """
        shares, vectors = frequencies.double(), codebook.double()
        mean = shares @ vectors
        deviation = (shares @ vectors.square() - mean.square()).clamp(min=0).sqrt()
        self.center.copy_(self._features(mean))
        smallest = max(_SMALLEST_DEVIATION * float(deviation.max()), 1e-8)
        self.scale.copy_(self._features(deviation.clamp(min=smallest)))

    def _features(self, vectors: Tensor) -> Tensor:
        """Vectors (..., T, D) to the inputs (..., T * D) in the order of the layout."""
        return arranged(vectors, self._config.grid, self._config.frame_stack, self._layout)


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


def occupancy_groups(
    model: VocModel, weight_decay: float, *, constant_second_rate: bool = False
) -> list[dict[str, Any]]:
    """The optimizer's groups, as published: in the GPT all but norms and biases are decayed.

    The reward head is a group of its own, all of it decayed by ``model.reward.weight_decay``.

    Args:
        model: The model.
        weight_decay: That of the GPT.
        constant_second_rate: Keep the rate of the reward head at its peak.
    """
    named = list(model.gpt.named_parameters())
    groups: list[dict[str, Any]] = [
        {"params": [value for name, value in named if not _is_decayed(name)], "weight_decay": 0.0},
        {"params": [value for name, value in named if _is_decayed(name)], "weight_decay": weight_decay},
    ]
    if model.reward_head is not None and model.config.reward is not None:
        head = list(model.reward_head.parameters())
        group = {"params": head, "weight_decay": model.config.reward.weight_decay}
        groups.append(with_constant_rate(group) if constant_second_rate else group)
    return groups


def with_constant_rate(group: dict[str, Any]) -> dict[str, Any]:
    """The same group of parameters, with a rate that stays at its peak."""
    return {**group, "constant_rate": True}


def _is_decayed(name: str) -> bool:
    return not name.endswith("bias") and "norm" not in name
