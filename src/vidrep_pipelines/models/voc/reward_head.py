"""Rewards from the codebook vectors of a state."""

from torch import Tensor, nn
from torch.nn import functional as F

from vidrep_pipelines.models.voc.config import FeatureLayout, VocModelConfig


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
    vectors = F.embedding(states, codebook)
    vectors = vectors.reshape(*states.shape[:-1], frame_stack, grid[0] * grid[1], -1)
    if layout == "channel_major":
        vectors = vectors.transpose(-2, -1)
    features: Tensor = vectors.flatten(-3)
    return features


def standardized(codebook: Tensor) -> Tensor:
    """Codebook (V, D) with mean 0 and deviation 1 in each channel."""
    centered = codebook - codebook.mean(dim=0)
    return centered / centered.std(dim=0, correction=0).clamp(min=1e-8)


class RewardHead(nn.Module):
    """A perceptron with two hidden layers on :func:`state_features`.

    Args:
        config: Of the model; ``config.reward`` must be set.
    """

    def __init__(self, config: VocModelConfig) -> None:
        super().__init__()
        assert config.reward is not None
        self._config, self._layout, self._units = config, config.reward.layout, config.reward.units
        width = config.reward.width
        self.layers = nn.Sequential(
            nn.Linear(config.state_tokens * config.reward.codebook_dimension, width),
            nn.ReLU(),
            nn.Linear(width, width),
            nn.ReLU(),
            nn.Linear(width, 1),
        )

    def forward(self, states: Tensor, codebook: Tensor) -> Tensor:
        """Rewards (...) of states (..., T), with codebook (V, D)."""
        if self._units == "standardized":
            codebook = standardized(codebook)
        features = state_features(states, codebook, self._config.grid, self._config.frame_stack, self._layout)
        rewards: Tensor = self.layers(features).squeeze(-1)
        return rewards
