"""Floors that a trained encoder must be above: random weights, and colors without any network."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vidrep_pipelines.evaluation.encoders.config import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    PixelEncoderConfig,
    RandomEncoderConfig,
)
from vidrep_pipelines.evaluation.encoders.protocol import grid_of
from vidrep_pipelines.evaluation.encoders.transformer import TransformerEncoder
from vidrep_pipelines.models.layers.encoder import VisionTransformerEncoder
from vidrep_pipelines.models.layers.linear import use_fast_linear_layers
from vidrep_pipelines.models.layers.transformer import initialize_linear_layers, initialize_patch_embedding

_MLP_RATIO = 4.0


def random_encoder(name: str, config: RandomEncoderConfig) -> TransformerEncoder:
    """What pretraining starts from: sizes of the config, weights drawn from its seed, fixed positions."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        encoder = VisionTransformerEncoder(
            image_size=config.image_size,
            patch_size=config.patch_size,
            channels=3,
            dimension=config.dimension,
            depth=config.depth,
            heads=config.heads,
            mlp_ratio=_MLP_RATIO,
        )
        encoder.apply(initialize_linear_layers)
        initialize_patch_embedding(encoder.patch_embed.get_submodule("proj"))
    use_fast_linear_layers(encoder)
    return TransformerEncoder(name, encoder.eval(), stride=config.patch_size, positions=config.positions)


class PixelEncoder(nn.Module):
    """Each patch as the mean colors of a few squares.

    Args:
        name: How reports call the encoder.
        config: Side of a patch, and squares along it.
    """

    def __init__(self, name: str, config: PixelEncoderConfig) -> None:
        super().__init__()
        self.name, self.mean, self.std = name, IMAGENET_MEAN, IMAGENET_STD
        self.stride, self._squares = config.patch_size, config.squares

    @torch.no_grad()
    def patch_features(self, images: Tensor) -> Tensor:
        """Normalized images (B, 3, H, W) to features (B, 3 * squares**2, H / stride, W / stride).

        Raises:
            InputError: H or W is not a multiple of the stride.
        """
        grid_of(images, self.stride)
        return F.pixel_unshuffle(F.avg_pool2d(images, self.stride // self._squares), self._squares)
