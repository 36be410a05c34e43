"""From a config to an encoder."""

import torch

from vidrep_pipelines.evaluation.encoders.config import (
    OriginalEncoderConfig,
    PixelEncoderConfig,
    RandomEncoderConfig,
    StandaloneEncoderConfig,
    TimmEncoderConfig,
)
from vidrep_pipelines.evaluation.encoders.original import load_original_encoder
from vidrep_pipelines.evaluation.encoders.pixels import PixelEncoder
from vidrep_pipelines.evaluation.encoders.protocol import ImageEncoder
from vidrep_pipelines.evaluation.encoders.timm_models import load_timm_encoder
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


def build_encoder(name: str, config: StandaloneEncoderConfig) -> ImageEncoder:
    """The encoder, on the CPU and ready to evaluate.

    Checkpoints of this project's own systems are turned into encoders where the systems are known.

    Raises:
        InputError: Its file cannot be read or does not fit.
        ConfigurationError: It names a model that does not exist.
    """
    match config:
        case OriginalEncoderConfig():
            return load_original_encoder(name, config)
        case TimmEncoderConfig():
            return load_timm_encoder(name, config)
        case RandomEncoderConfig():
            return random_encoder(name, config)
        case PixelEncoderConfig():
            return PixelEncoder(name, config)
