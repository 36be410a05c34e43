"""Masked autoencoder (He et al., CVPR 2022, arXiv 2111.06377): a ViT, and what fills in patches."""

import torch
from torch import Tensor, nn

from tests.architecture.mae_system.config import MaeModelConfig
from vidrep_pipelines.models.layers.encoder import VisionTransformerEncoder
from vidrep_pipelines.models.layers.tokens import fill_tokens, sine_cosine_positions


class MaeModel(nn.Module):
    """The encoder is kept; the rest is for training only."""

    positions: Tensor

    def __init__(self, config: MaeModelConfig) -> None:
        super().__init__()
        self.config = config
        E, D = config.dimension, config.decoder_dimension
        self.encoder = VisionTransformerEncoder(
            image_size=config.image_size,
            patch_size=config.patch_size,
            channels=3,
            dimension=E,
            depth=config.depth,
            heads=config.heads,
            mlp_ratio=4.0,
        )
        self.embed = nn.Linear(E, D)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, D))
        self.register_buffer("positions", sine_cosine_positions(D, config.image_size // config.patch_size))
        block = nn.TransformerEncoderLayer(D, config.heads, 4 * D, 0.0, "gelu", 1e-6, True, True)
        self.blocks = nn.TransformerEncoder(block, config.decoder_depth, nn.LayerNorm(D), False)
        self.to_pixels = nn.Linear(D, 3 * config.patch_size**2)

    def forward(self, images: Tensor, keep: Tensor) -> Tensor:
        """Patches (B, L, P) of images (B, 3, S, S), of which those at ``keep`` (B, K) alone are seen."""
        places = nn.functional.pad(keep + 1, (1, 0))  # the class token stays in front
        visible = self.embed(self.encoder(images, keep))
        tokens = fill_tokens(visible, places, self.mask_token, self.positions.shape[1]) + self.positions
        patches: Tensor = self.to_pixels(self.blocks(tokens)[:, 1:])
        return patches
