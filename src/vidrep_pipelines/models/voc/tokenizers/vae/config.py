"""Sizes and loss of the tokenizer ``vae``. Every size is the published value unless said."""

from typing import Literal, Self

from pydantic import Field, model_validator

from vidrep_pipelines.common.config import FrozenConfig, UserPath
from vidrep_pipelines.models.layers.vqgan_config import CodebookConfig, VqganConfig
from vidrep_pipelines.models.voc.tokenizers.config import PixelConfig, QuantizationConfig

PUBLISHED_NETWORK = VqganConfig(image_size=256)
"""VQGAN "imagenet_f16_1024". Its side of 256 is nominal: VOC gives it pictures of 80 pixels."""

PUBLISHED_CODES = CodebookConfig(size=1024, dimension=256)
"""The codebook of the same network."""


class VaeConfig(FrozenConfig):
    """A VQGAN whose codes cover 16 x 16 pixels."""

    network: VqganConfig = PUBLISHED_NETWORK
    """Encoder and decoder."""

    codes: CodebookConfig = PUBLISHED_CODES
    """The codebook."""

    pixels: PixelConfig = PixelConfig()
    """The pictures. The released weights need ``normalization: published``."""


class VaeObjectiveConfig(FrozenConfig):
    """L1, perceptual distance, and the codebook's loss.

    The published loss also has a discriminator whose weight is zero for the first 250,000 steps of a training
    that ends after 100,000; it is left out.
    """

    perceptual_weight: float = Field(1.0, ge=0)
    """Weight of LPIPS. Without the two files the loss is L1 alone, which is logged."""

    perceptual_input: Literal["unit", "normalized"] = "unit"
    """Pixels that LPIPS is given: in 0..1 as it is defined, or as the network sees them (published)."""

    perceptual_trunk: UserPath | None = None
    """VGG16 of torchvision, ``vgg16-397923af.pth``."""

    perceptual_heads: UserPath | None = None
    """LPIPS heads, ``vgg.pth``."""

    quantization: QuantizationConfig = QuantizationConfig()
    """The codebook's loss."""

    @model_validator(mode="after")
    def _check_files(self) -> Self:
        if (self.perceptual_trunk is None) != (self.perceptual_heads is None):
            raise ValueError("perceptual_trunk and perceptual_heads belong together: set both or none")
        return self

    @property
    def is_perceptual(self) -> bool:
        """Whether the loss contains LPIPS."""
        return self.perceptual_weight > 0 and self.perceptual_trunk is not None
