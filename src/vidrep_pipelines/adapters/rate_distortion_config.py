"""Parameters of the comparison of codes at equal bits."""

import math
from typing import Literal, Self

from pydantic import Field, PositiveInt, model_validator

from vidrep_pipelines.common.config import FrozenConfig
from vidrep_pipelines.evaluation.reconstruction.config import CodecName
from vidrep_pipelines.models.vqvae.config import VqvaeModelConfig, VqvaeObjectiveConfig
from vidrep_pipelines.training.config import TrainConfig


class CodesConfig(FrozenConfig):
    """How the codes of a tokenizer come about; fields as in ``vqvae.model.codebook``."""

    kind: Literal["gradient", "ema", "fsq"] = "gradient"
    """``gradient``: entries learn as published. ``ema``: they follow averages. ``fsq``: a grid of levels."""

    dimension: PositiveInt = 16
    """Channels of an entry; those of ``fsq`` are its levels."""

    decay: float = Field(0.99, ge=0, lt=1)
    """Decay of the averages."""

    restart_below: float = Field(0.0, ge=0, lt=1)
    """With ``ema``, an entry used less than this share of an even use starts again."""

    learning_rate: float | None = Field(None, gt=0)
    """Peak learning rate in place of that of ``train``; to be chosen on the validation split."""


class RateConfig(FrozenConfig):
    """How many bits a frame takes."""

    width_multipliers: tuple[PositiveInt, ...] = Field(min_length=1)
    """As in ``vqvae.model``: each level after the first halves the sides of the grid of codes."""

    levels: tuple[PositiveInt, ...] = Field(min_length=1)
    """Levels of ``fsq``. Their product is the number of codes, the same for all kinds."""

    @property
    def size(self) -> int:
        """Number of codes."""
        return math.prod(self.levels)


class RateDistortionConfig(FrozenConfig):
    """Every kind of codes at every rate, from every seed, beside codecs that nobody trained."""

    codes: dict[str, CodesConfig] = Field(min_length=1)
    """Kinds of codes by name."""

    rates: dict[str, RateConfig] = Field(min_length=1)
    """Rates by name."""

    seeds: int = Field(3, ge=1)
    """Tokenizers per kind and rate; they differ in initial weights and all draws."""

    model: VqvaeModelConfig = VqvaeModelConfig()
    """Sizes of all of them, but for what ``rates`` and ``codes`` say."""

    objective: VqvaeObjectiveConfig = VqvaeObjectiveConfig()
    """The loss of all of them."""

    train: TrainConfig
    """Updates, batch and optimizer of all of them; the seed is the first one's."""

    validation_split: str = "validation"
    """Part of the frame store on which settings are chosen. The test split is that of ``measured_clips``."""

    floors: tuple[CodecName, ...] = ("jpeg", "webp", "area", "nearest")
    """What stands beside them at equal bits."""

    floor_points: int = Field(8, ge=2)
    """Further rates at which the floors are measured, for their curves."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        for name in (*self.codes, *self.rates):
            if "/" in name:
                raise ValueError(f"the name {name!r} must not contain a slash")
        if both := set(self.codes) & set(self.floors):
            raise ValueError(f"codes and floors share the name {min(both)!r}")
        if self.train.steps is None:
            raise ValueError("tokenizers are trained for a number of updates: set train.steps")
        if self.model.decoder != "2d":
            raise ValueError("single frames are coded here, for which only model.decoder: 2d is meant")
        if self.objective.perceptual_network == "lpips" and self.objective.perceptual_weight:
            raise ValueError("objective.perceptual_weight needs files, which are not looked for here")
        for kind in self.codes:
            for rate in self.rates:
                self.model_of(kind, rate)
        return self

    def model_of(self, codes: str, rate: str) -> VqvaeModelConfig:
        """The architecture with codes of this kind at this rate."""
        own, bits = self.codes[codes], self.rates[rate]
        codebook = {
            "size": bits.size,
            "dimension": len(bits.levels) if own.kind == "fsq" else own.dimension,
            "codes": "fsq" if own.kind == "fsq" else "euclidean",
            "levels": bits.levels if own.kind == "fsq" else (),
            "update": "ema" if own.kind == "ema" else "gradient",
            "decay": own.decay,
            "restart_below": own.restart_below if own.kind == "ema" else 0.0,
        }
        described = {**self.model.model_dump(), "width_multipliers": bits.width_multipliers}
        return VqvaeModelConfig.model_validate({**described, "codebook": codebook})

    def bits_per_pixel(self, rate: str) -> float:
        """Bits of codes of equal length, per pixel of a frame."""
        downsampling = 1 << (len(self.rates[rate].width_multipliers) - 1)
        return math.log2(self.rates[rate].size) / downsampling**2

    def train_of(self, codes: str, seed: int) -> TrainConfig:
        """Updates, batch and optimizer of one tokenizer."""
        own = self.codes[codes].learning_rate
        optimizer = self.train.optimizer
        if own is not None:
            optimizer = optimizer.model_copy(update={"learning_rate": own})
        return self.train.model_copy(update={"seed": self.train.seed + seed, "optimizer": optimizer})
