"""Sizes and losses of a tokenizer and an occupancy model that are trained together."""

from typing import Self

from pydantic import Field, model_validator

from vidrep_pipelines.common.config import FrozenConfig
from vidrep_pipelines.models.voc.config import VocModelConfig, VocObjectiveConfig
from vidrep_pipelines.models.voc.tokenizers.vae.config import VaeConfig, VaeObjectiveConfig


class JointConfig(FrozenConfig):
    """The networks."""

    tokenizer: VaeConfig = VaeConfig()
    """Pixels to codes and back."""

    occupancy: VocModelConfig = VocModelConfig()
    """The discounted future of the codes."""

    @model_validator(mode="after")
    def _check_codes(self) -> Self:
        codes, model = self.tokenizer.codes, self.occupancy
        side = self.tokenizer.pixels.size // self.tokenizer.network.downsampling
        wanted = {
            "occupancy.gpt.vocabulary": (model.gpt.vocabulary, codes.size),
            "occupancy.grid": (tuple(model.grid), (side, side)),
        }
        if model.reward is not None:
            dimension = model.reward.codebook_dimension
            wanted["occupancy.reward.codebook_dimension"] = (dimension, codes.dimension)
            if model.reward.units == "standardized_per_place":
                raise ValueError(
                    "occupancy.reward.units: standardized_per_place needs codes that no longer change. "
                    "Remedy: units: standardized"
                )
        for name, (given, needed) in wanted.items():
            if given != needed:
                raise ValueError(f"{name}={given} does not fit the tokenizer. Remedy: {name}: {needed}")
        return self


class JointObjectiveConfig(FrozenConfig):
    """The sum of both losses. No gradient passes from the occupancy model to the tokenizer, as published."""

    tokenizer: VaeObjectiveConfig = VaeObjectiveConfig()
    """Loss of the frames of the context."""

    occupancy: VocObjectiveConfig = VocObjectiveConfig()
    """Loss of the codes as they are at the moment: they drift while they are learned."""

    occupancy_weight: float = Field(1.0, ge=0)
    """Weight of the occupancy model's loss, reward included."""
