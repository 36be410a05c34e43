"""Two linear layers from the mean color of a frame to that of a later one."""

import torch
from torch import Tensor, nn

from tests.architecture.toy_system.config import NextColorModelConfig

COLORS = 3


def mean_color(frames: Tensor) -> Tensor:
    """Frames (B, 3, S, S) uint8 to their mean colors (B, 3) in 0..1."""
    return frames.float().mean(dim=(-2, -1)) / 255


class NextColorModel(nn.Module):
    """Predicts how a color changes."""

    def __init__(self, config: NextColorModelConfig) -> None:
        super().__init__()
        self.config = config
        self.hidden = nn.Linear(COLORS, config.width)
        self.change = nn.Linear(config.width, COLORS)

    def forward(self, color: Tensor) -> Tensor:
        """Colors (B, 3) in 0..1 to those of the later frames (B, 3), nominally in 0..1."""
        prediction: Tensor = color + self.change(torch.tanh(self.hidden(color)))
        return prediction
