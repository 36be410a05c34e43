"""Sizes, masking and samples of the masked autoencoder."""

from pydantic import Field

from vidrep_pipelines.common.config import FrozenConfig
from vidrep_pipelines.data.clips.sampling import PairSampling


class MaeModelConfig(FrozenConfig):
    """The architecture: a ViT that sees some patches, and a small transformer that fills in the others."""

    image_size: int = Field(224, gt=0)
    """Side of the square input in pixels."""

    patch_size: int = Field(16, gt=0)
    """Side of a patch in pixels, a divisor of ``image_size``."""

    dimension: int = Field(768, gt=0, multiple_of=4)
    """Width of the encoder's tokens."""

    depth: int = Field(12, gt=0)
    """Blocks of the encoder."""

    heads: int = Field(12, gt=0)
    """Attention heads of encoder and decoder."""

    decoder_dimension: int = Field(512, gt=0, multiple_of=4)
    """Width of the decoder's tokens."""

    decoder_depth: int = Field(8, gt=0)
    """Blocks of the decoder."""


class MaeObjectiveConfig(FrozenConfig):
    """The loss: squared error of hidden patches, each standardized."""

    mask_ratio: float = Field(0.75, gt=0, lt=1)
    """Share of the patches that is hidden."""


class MaeDataConfig(FrozenConfig):
    """Which frames are seen: both of a pair, each as a sample of its own."""

    sampling: PairSampling = PairSampling()
    """How frames are drawn from a clip."""
