"""From a config to an encoder."""

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
from vidrep_pipelines.evaluation.encoders.random_weights import random_encoder
from vidrep_pipelines.evaluation.encoders.timm_models import load_timm_encoder


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
