"""Sizes and training of the tokenizer ``dino``, which is VQ-KD. Every size is the published value."""

from typing import Literal, Self

from pydantic import Field, model_validator

from vidrep_pipelines.common.config import FrozenConfig, UserPath
from vidrep_pipelines.models.voc.tokenizers.config import PixelConfig


class TransformerConfig(FrozenConfig):
    """A vision transformer."""

    dimension: int = Field(768, gt=0)
    """Channels of a token."""

    depth: int = Field(12, gt=0)
    """Blocks."""

    heads: int = Field(12, gt=0)
    """Attention heads, a divisor of ``dimension``."""

    mlp_ratio: float = Field(4.0, gt=0)
    """Width of the perceptrons relative to ``dimension``."""

    @model_validator(mode="after")
    def _check_heads(self) -> Self:
        if self.dimension % self.heads:
            raise ValueError(f"dimension={self.dimension} is no multiple of heads={self.heads}")
        return self


class VqkdConfig(FrozenConfig):
    """``vqkd_encoder_base_decoder_1x768x12_dino`` of BEiT v2 (arXiv 2208.06366)."""

    pixels: PixelConfig = PixelConfig(size=224, resize="bicubic", normalization="symmetric")
    """The pictures. VQ-KD was trained on -1..1; VOC's released latents were made with ``normalization:
    published`` and ``resize: nearest``, far from what it knows."""

    patch_size: int = Field(16, gt=0)
    """Side of the square that a code stands for, in pixels."""

    encoder: TransformerConfig = TransformerConfig()
    """The transformer from pixels to codes."""

    decoder: TransformerConfig = TransformerConfig(depth=1)
    """The transformer from codes to the teacher's features; needed for training only."""

    vocabulary: int = Field(8192, ge=2, le=32768)
    """Codes K."""

    code_dimension: int = Field(32, gt=0)
    """Channels D of a code."""

    teacher_dimension: int = Field(768, gt=0)
    """Channels of the teacher's features."""

    counting: Literal["training", "always"] = "training"
    """When uses of the codes are counted: ``always``, as published, also counts in evaluation mode. Codes do
    not depend on it."""

    @model_validator(mode="after")
    def _check_patches(self) -> Self:
        if self.pixels.size % self.patch_size:
            raise ValueError(f"pixels.size={self.pixels.size} is no multiple of patch_size={self.patch_size}")
        return self

    @property
    def grid(self) -> int:
        """Codes along one side of a frame."""
        return self.pixels.size // self.patch_size


class TeacherConfig(FrozenConfig):
    """The network whose features the codes must explain."""

    weights: UserPath | None = None
    """DINO ViT-B/16, ``dino_vitbase16_pretrain.pth``, or another ViT in timm's layout."""

    kind: Literal["file", "random"] = "file"
    """``random``: a stand-in with seeded random weights, for trying things out where no file can be had."""

    network: TransformerConfig = TransformerConfig()
    """Its sizes."""

    patch_size: int = Field(16, gt=0)
    """Its patches; as many as the tokenizer's."""


class VqkdObjectiveConfig(FrozenConfig):
    """Cosine distance to the teacher, and the commitment of the latents to their codes."""

    beta: float = Field(1.0, ge=0)
    """Weight of the commitment."""

    decay: float = Field(0.99, ge=0, lt=1)
    """Decay of the codes and of their counts, per update."""

    kmeans_iterations: int = Field(10, ge=1)
    """Iterations of k-means with which the first batch initializes the codes."""

    teacher: TeacherConfig = TeacherConfig()
    """The network whose features are predicted."""
