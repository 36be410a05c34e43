"""How whole videos are cut for embedding."""

from typing import Literal

from pydantic import Field, model_validator

from vidrep_pipelines.common.config import FrozenConfig


class EmbeddingConfig(FrozenConfig):
    """How a video is cut for embedding. Nearly every video is one chunk."""

    chunk_frames: int = Field(1000, ge=1)
    """Most frames that the transformer relates at once: 1000 published, 6000 for FineGym."""

    seams: Literal["blend", "published"] = "blend"
    """``blend``: chunks overlap and fade into one another. ``published``: equal chunks side by side, each
    embedded as if it were a video of its own."""

    overlap: float = Field(0.25, ge=0, le=0.5)
    """With ``blend``: share of a chunk that it has in common with the next one."""

    frames_per_block: int = Field(40, ge=1)
    """Positions that go through the ResNet at once; changes memory and speed only."""

    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    """Arithmetic; embeddings are float32 in any case. The original evaluates in float16."""

    @model_validator(mode="after")
    def _check_overlap(self) -> "EmbeddingConfig":
        if self.seams == "blend" and self.chunk_frames * self.overlap < 1 < self.chunk_frames:
            raise ValueError("overlap is less than one frame; raise it, or set seams: published")
        return self
