"""A tiny VQ-VAE for tests."""

from typing import Any

import torch
from torch import Tensor

from vidrep_pipelines.models.vqvae.config import VqvaeDataConfig, VqvaeModelConfig
from vidrep_pipelines.models.vqvae.model import VqvaeModel

DATA = VqvaeDataConfig()
SIZES: dict[str, Any] = {
    "image_size": 16,
    "width": 8,
    "groups": 4,
    "width_multipliers": (1, 2),
    "residual_blocks": 1,
    "attention_resolutions": (8,),
    "latent_channels": 8,
    "head_width": 4,
}
CODEBOOK = {"size": 16, "dimension": 4}


def make_config(codebook: dict[str, Any] | None = None, **changes: Any) -> VqvaeModelConfig:
    return VqvaeModelConfig(**{**SIZES, "codebook": {**CODEBOOK, **(codebook or {})}, **changes})


def make_model(config: VqvaeModelConfig | None = None, seed: int = 0) -> VqvaeModel:
    """A model with random weights whose codes differ from place to place."""
    torch.manual_seed(seed)
    model = VqvaeModel(config or make_config())
    with torch.no_grad():
        model.quantizer.codebook.normal_(std=0.5)
        for name, parameter in model.named_parameters():
            if name.startswith("decoder.head"):
                parameter.add_(torch.randn_like(parameter), alpha=0.1)
    return model


def make_images(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, 3, 16, 16, generator=torch.Generator().manual_seed(seed))
