"""Latents of single images."""

import torch

from vidrep_pipelines.models.vqvae.config import VqvaeModelConfig
from vidrep_pipelines.models.vqvae.image_encoder import FrameLatents
from vidrep_pipelines.models.vqvae.model import VqvaeModel


def test_images_of_any_size() -> None:
    config = VqvaeModelConfig(
        image_size=16,
        width=8,
        width_multipliers=(1, 2, 2),
        groups=4,
        residual_blocks=1,
        attention_resolutions=(),
    )
    encoder = FrameLatents(VqvaeModel(config).eval())
    for height, width in ((16, 16), (32, 24)):
        latents = encoder(torch.rand(2, 3, height, width))
        assert latents.shape == (
            2,
            config.codebook.dimension,
            height // encoder.stride,
            width // encoder.stride,
        )
