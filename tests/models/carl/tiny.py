"""A tiny CARL for tests."""

from typing import Any

import torch
from torch import Tensor, nn

from vidrep_pipelines.models.carl.config import CarlModelConfig
from vidrep_pipelines.models.carl.model import CarlModel

SIZES: dict[str, Any] = {
    "image_size": 32,
    "frames": 6,
    "stage_widths": (4, 4, 8, 8),
    "stage_blocks": (1, 1, 1, 1),
    "hidden_width": 16,
    "token_width": 16,
    "feedforward_width": 24,
    "heads": 2,
    "embedding_width": 8,
    "projection_width": 8,
    "dropout": 0.0,
    "frames_per_block": None,
}
CONVOLUTIONAL: dict[str, Any] = {
    "encoder": "conv",
    "image_size": 65,
    "context_frames": 2,
    "convolution_width": 8,
    "first_trained_stage": 0,
    "projection_width": None,
}


def make_config(**changes: Any) -> CarlModelConfig:
    return CarlModelConfig(**{**SIZES, **changes})


def make_model(seed: int = 0, **changes: Any) -> CarlModel:
    """A model whose batch norms have statistics, so that evaluation differs from training."""
    torch.manual_seed(seed)
    model = CarlModel(make_config(**changes))
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.mul_(2)  # frames are to be told apart
            else:
                parameter.add_(torch.randn_like(parameter), alpha=0.3)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d):
            for value in (module.running_mean, module.running_var):
                assert value is not None
                value.add_(torch.rand_like(value), alpha=0.5)
    return model.eval()


def make_frames(*shape: int, side: int = 32, seed: int = 1) -> Tensor:
    return torch.randn(*shape, 3, side, side, generator=torch.Generator().manual_seed(seed))
