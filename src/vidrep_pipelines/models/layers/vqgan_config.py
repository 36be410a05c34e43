"""Sizes of the VQGAN family's encoder and decoder, and how its codebook learns."""

import math
from typing import Annotated, Any, Literal, Self

from pydantic import Field, PositiveInt, SerializerFunctionWrapHandler, model_serializer, model_validator

from vidrep_pipelines.common.config import FrozenConfig


class CodebookConfig(FrozenConfig):
    """The codes."""

    size: int = Field(1024, ge=2, le=32768)
    """Entries of the codebook (`n_embed` of the original). At most what 16-bit integers number."""

    dimension: int = Field(192, gt=0)
    """Channels of an entry (`embed_dim` of the original)."""

    codes: Literal["euclidean", "cosine", "fsq"] = "euclidean"
    """How the nearest entry is found. ``cosine`` (not published) compares directions only. ``fsq`` (not
    published) rounds each channel to one of its ``levels``, so that there is no codebook to learn and none
    to lose (Mentzer et al. 2023, "Finite Scalar Quantization")."""

    levels: tuple[Annotated[int, Field(ge=2)], ...] = ()
    """With ``fsq``, the levels of each channel. Their product is ``size``, their number ``dimension``: 8, 8
    and 8 make 512 codes, 8, 5, 5 and 5 the 1000 that its paper takes in place of 1024."""

    update: Literal["gradient", "ema"] = "gradient"
    """How entries move: by their gradient as published, or as averages of the vectors they stand for."""

    decay: float = Field(0.99, ge=0, lt=1)
    """Decay of these moving averages, per update."""

    restart_below: float = Field(0.0, ge=0, lt=1)
    """With ``ema``, an entry used less than this share of an even use is replaced by a vector of the batch.
    0: never."""

    @model_validator(mode="after")
    def _check_restart(self) -> Self:
        if self.restart_below and self.update != "ema":
            raise ValueError("codebook.restart_below needs codebook.update: ema")
        return self

    @model_validator(mode="after")
    def _check_levels(self) -> Self:
        if (self.codes == "fsq") != bool(self.levels):
            raise ValueError("codebook.codes: fsq and codebook.levels belong together: set both, or neither")
        if self.codes != "fsq":
            return self
        size, dimension = math.prod(self.levels), len(self.levels)
        if (self.size, self.dimension) != (size, dimension):
            raise ValueError(
                f"codebook.levels {list(self.levels)} make {size} codes of {dimension} channels: set "
                f"codebook.size: {size} and codebook.dimension: {dimension}"
            )
        if self.update != "gradient":
            raise ValueError("codebook.codes: fsq has no entries that move: set codebook.update: gradient")
        return self

    @model_serializer(mode="wrap")
    def _without_what_is_off(self, serialized: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Levels that are not used are left out: digests of runs with other codes stay as they were."""
        described: dict[str, Any] = serialized(self)
        if not self.levels:
            described.pop("levels", None)
        return described


class VqganConfig(FrozenConfig):
    """An encoder and a decoder of single frames. The defaults make codes of 16 x 16 pixels."""

    image_size: int = Field(64, gt=0)
    """Side of the square frames in pixels (`resolution`); decides where attention is."""

    channels: int = Field(3, gt=0)
    """Color channels (`in_channels`, `out_ch`)."""

    width: int = Field(128, gt=0)
    """Channels of the first convolution (`ch`)."""

    width_multipliers: tuple[PositiveInt, ...] = Field((1, 1, 2, 2, 4), min_length=1)
    """Width of each level relative to ``width``; the resolution halves between levels (`ch_mult`)."""

    residual_blocks: int = Field(2, gt=0)
    """Residual blocks per level of the encoder; the decoder has one more (`num_res_blocks`)."""

    attention_resolutions: tuple[PositiveInt, ...] = (16,)
    """Sides of the feature maps in which every residual block is followed by attention."""

    latent_channels: int = Field(256, gt=0)
    """Channels between the encoder and the codes (`z_channels`)."""

    dropout: float = Field(0.0, ge=0, lt=1)
    """Inside residual blocks."""

    groups: int = Field(32, gt=0)
    """Groups of the normalizations; 32 in the original, fewer only for narrow models."""

    @model_validator(mode="after")
    def _check_divisors(self) -> Self:
        if self.image_size % self.downsampling:
            raise ValueError(
                f"image_size={self.image_size} is no multiple of {self.downsampling}, see width_multipliers"
            )
        for width in (self.width, *(self.width * multiplier for multiplier in self.width_multipliers)):
            if width % self.groups:
                raise ValueError(f"{width} channels are not a multiple of groups={self.groups}")
        return self

    @property
    def downsampling(self) -> int:
        """Pixels along one side that share a code."""
        return int(2 ** (len(self.width_multipliers) - 1))

    @property
    def grid(self) -> int:
        """Codes along one side of a frame."""
        return self.image_size // self.downsampling
