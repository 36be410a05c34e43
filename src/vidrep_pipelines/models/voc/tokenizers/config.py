"""Pixels and codebook loss: what the configurations of the tokenizers share."""

from typing import Literal

from pydantic import Field

from vidrep_pipelines.common.arrays import Triple
from vidrep_pipelines.common.config import FrozenConfig
from vidrep_pipelines.data.imagenet import IMAGENET_MEAN, IMAGENET_STD

PixelUnits = Literal["imagenet", "published", "symmetric"]
ResizeMethod = Literal["nearest", "bilinear", "bicubic"]


class PixelConfig(FrozenConfig):
    """How frames are prepared."""

    size: int = Field(80, gt=0)
    """Side of the square pictures that the network sees, in pixels."""

    shift: int = Field(4, ge=0)
    """Training pictures are moved by up to so many pixels of the stored frame in each direction. Pictures
    that are encoded for use are never moved (the original moves them too, each frame on its own)."""

    resize: ResizeMethod = "nearest"
    """``nearest`` as published; the others are antialiased."""

    normalization: PixelUnits = "imagenet"
    """Units of the network's input. ``imagenet``: ``(x / 255 - mean) / std`` with ImageNet's statistics.
    ``published``: ``x / 255 - mean / std``, a slip in operator precedence with which the released VQ
    checkpoints were trained, so that they need it. ``symmetric``: -1..1, what VQ-KD was trained with."""

    @property
    def mean(self) -> Triple:
        """Per channel; with ``std`` every normalization is a standardization of 0..1."""
        return self._statistics()[0]

    @property
    def std(self) -> Triple:
        """Per channel, see ``mean``."""
        return self._statistics()[1]

    def _statistics(self) -> tuple[Triple, Triple]:
        if self.normalization == "symmetric":
            return (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)
        if self.normalization == "imagenet":
            return IMAGENET_MEAN, IMAGENET_STD
        red, green, blue = (mean / std for mean, std in zip(IMAGENET_MEAN, IMAGENET_STD, strict=True))
        return (red, green, blue), (1.0, 1.0, 1.0)


class QuantizationConfig(FrozenConfig):
    """The loss that ties latents and codebook together."""

    beta: float = Field(0.25, ge=0)
    """The smaller weight of the two terms."""

    weighting: Literal["corrected", "legacy"] = "corrected"
    """Where beta goes: on the commitment term (``corrected``), or on the term that moves the codebook
    (``legacy``, as published; a known slip of taming-transformers). The value is the same, the gradients are
    not. With a codebook of averages there is only the commitment term."""
