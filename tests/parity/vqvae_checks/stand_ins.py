"""The networks that the recordings used in place of files nobody may ship: made by recipe from a seed."""

from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.parity.discovery import at_precision
from vidrep_pipelines.models.layers.action_features import ActionFeatures
from vidrep_pipelines.models.layers.perceptual_distance import PerceptualDistance

_CONVOLUTIONS = (
    (0, 3, 64), (2, 64, 64), (5, 64, 128), (7, 128, 128), (10, 128, 256), (12, 256, 256), (14, 256, 256),
    (17, 256, 512), (19, 512, 512), (21, 512, 512), (24, 512, 512), (26, 512, 512), (28, 512, 512),
)  # fmt: skip
_HEADS = (64, 128, 256, 512, 512)


def vgg_weights(seed: int) -> dict[str, Tensor]:
    draws = np.random.RandomState(seed)
    weights = {}
    for index, inputs, outputs in _CONVOLUTIONS:
        kernel = draws.standard_normal((outputs, inputs, 3, 3)) * np.sqrt(2 / (9 * inputs))
        bias = draws.standard_normal((outputs,)) * 0.05
        weights[f"features.{index}.weight"] = torch.from_numpy(kernel.astype(np.float32))
        weights[f"features.{index}.bias"] = torch.from_numpy(bias.astype(np.float32))
    return weights


def head_weights(seed: int) -> dict[str, Tensor]:
    draws = np.random.RandomState(seed)
    rows = (np.abs(draws.standard_normal((1, width, 1, 1)) * 2 / width) for width in _HEADS)
    return {
        f"lin{number}.model.1.weight": torch.from_numpy(row.astype(np.float32))
        for number, row in enumerate(rows)
    }


class PooledFeatures(nn.Module):
    """Pooled pixels through one random layer, in place of the I3D."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        matrix = np.random.RandomState(seed).standard_normal((96, 400)) * 0.5
        self.register_buffer("matrix", at_precision(torch.from_numpy(matrix.astype(np.float32))))

    def forward(self, x: Tensor) -> Tensor:
        pooled = F.adaptive_avg_pool3d(x, (2, 4, 4)).flatten(1)
        return torch.tanh(pooled @ self.matrix)


@lru_cache(maxsize=4)
def perceptual(vgg_seed: int, head_seed: int, folder: Path) -> PerceptualDistance:
    """Through the files' layouts, as a user's networks come."""
    trunk, heads = folder / f"vgg16_{vgg_seed}.pth", folder / f"heads_{head_seed}.pth"
    torch.save(vgg_weights(vgg_seed), trunk)
    torch.save(head_weights(head_seed), heads)
    return PerceptualDistance.load(trunk, heads)


def action_features(seed: int) -> ActionFeatures:
    return ActionFeatures(PooledFeatures(seed))
