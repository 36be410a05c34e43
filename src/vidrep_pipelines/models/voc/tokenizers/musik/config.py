"""Sizes and training of the tokenizer ``musik``. Every size is the published value unless said."""

from typing import Literal

from pydantic import Field

from vidrep_pipelines.common.config import FrozenConfig
from vidrep_pipelines.models.layers.vqgan_config import CodebookConfig, VqganConfig
from vidrep_pipelines.models.voc.tokenizers.config import PixelConfig, QuantizationConfig


class MusikConfig(FrozenConfig):
    """An encoder whose codes tell which action was taken between two states."""

    network: VqganConfig = VqganConfig(image_size=256)
    """The encoder; its side of 256 is nominal and decides where attention is."""

    codes: CodebookConfig = CodebookConfig(size=1024, dimension=256)
    """The codebook."""

    pixels: PixelConfig = PixelConfig()
    """The pictures."""

    dimension: int = Field(256, gt=0)
    """Numbers that a frame contributes to the embedding of a state."""

    frame_stack: int = Field(3, ge=1)
    """Frames of a state."""

    action_dimension: int = Field(6, ge=1)
    """Numbers of an action."""

    hidden_dimension: int = Field(256, ge=1)
    """Channels inside the energy of an action."""


class MusikObjectiveConfig(FrozenConfig):
    """Which action began the way from one state to a later one (arXiv 2211.00164)."""

    negatives: int = Field(256, ge=1)
    """Random actions, uniform in -1..1, that the taken one is to be told from."""

    largest_offset: int = Field(14, ge=1)
    """The later state is 1 to so many steps later, each equally likely."""

    offsets_at_the_end: Literal["all", "published"] = "all"
    """The offsets where only m steps are left, fewer than the largest offset: 1..m, or 1..m - 1 as
    published."""

    quantization: QuantizationConfig = QuantizationConfig()
    """The codebook's loss, of both states."""
