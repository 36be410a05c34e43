"""The loss of the toy system, with its randomness passed in."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from tests.architecture.toy_system.config import NextColorObjectiveConfig
from tests.architecture.toy_system.model import COLORS, NextColorModel


@dataclass(frozen=True)
class NextColorOutputs:
    """The scalar ``loss``, and the ``prediction`` (B, 3) that it judges."""

    loss: Tensor
    prediction: Tensor


def draw_noise(seeds: Tensor, device: torch.device | str) -> Tensor:
    """Standard normal noise (B, 3), each sample's from its own seed (B,) int64."""
    generator = torch.Generator(device)
    return torch.stack(
        [torch.randn(COLORS, generator=generator.manual_seed(seed), device=device) for seed in seeds.tolist()]
    )


def next_color_objective(
    model: NextColorModel, source: Tensor, target: Tensor, noise: Tensor, config: NextColorObjectiveConfig
) -> NextColorOutputs:
    """Squared error of the color predicted from a noisy one.

    Args:
        model: The network.
        source: Colors (B, 3) in 0..1.
        target: Colors (B, 3) of the later frames.
        noise: (B, 3) standard normal.
        config: The noise's scale.
    """
    prediction = model(source + config.noise_scale * noise)
    return NextColorOutputs(F.mse_loss(prediction, target), prediction)
