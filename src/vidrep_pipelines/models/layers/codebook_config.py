"""A learned codebook."""

from typing import Literal, Self

from pydantic import Field, model_validator

from vidrep_pipelines.common.config import FrozenConfig


class CodebookConfig(FrozenConfig):
    """The codes."""

    size: int = Field(1024, ge=2, le=32768)
    """Entries of the codebook (`n_embed` of the original). At most what 16-bit integers number."""

    dimension: int = Field(192, gt=0)
    """Channels of an entry (`embed_dim` of the original)."""

    codes: Literal["euclidean", "cosine"] = "euclidean"
    """How the nearest entry is found. ``cosine`` (not published) compares directions only."""

    update: Literal["gradient", "ema"] = "gradient"
    """How entries move: by their gradient as published, or as averages of the vectors they stand for."""

    decay: float = Field(0.99, ge=0, lt=1)
    """Of these moving averages, per update."""

    restart_below: float = Field(0.0, ge=0, lt=1)
    """With ``ema``: an entry used less than this share of an even use is replaced by a vector of the batch.
    0: never."""

    @model_validator(mode="after")
    def _check_restart(self) -> Self:
        if self.restart_below and self.update != "ema":
            raise ValueError("codebook.restart_below needs codebook.update: ema")
        return self
