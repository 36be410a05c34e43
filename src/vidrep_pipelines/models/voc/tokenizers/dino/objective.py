"""The loss of VQ-KD."""

from dataclasses import dataclass
from functools import partial
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.compat import timm
from vidrep_pipelines.data.imagenet import IMAGENET_MEAN, IMAGENET_STD
from vidrep_pipelines.models.shared.code_counts import code_counts, perplexity, used_share
from vidrep_pipelines.models.shared.trained import load_strictly
from vidrep_pipelines.models.shared.units import to_unit_range
from vidrep_pipelines.models.shared.weight_file import read_weights
from vidrep_pipelines.models.voc.tokenizers.dino.config import TeacherConfig
from vidrep_pipelines.models.voc.tokenizers.dino.model import VqkdOutputs, VqkdTokenizer

_STAND_IN_SEED = 7
_HEADS = ("head.", "fc_norm.")


class Teacher(nn.Module):
    """A vision transformer; its features are the patch tokens after the final norm.

    Args:
        config: The tokenizer's sizes.
        size: Side of the pictures in pixels.
    """

    def __init__(self, config: TeacherConfig, size: int) -> None:
        super().__init__()
        self.network: nn.Module = timm.models.vision_transformer.VisionTransformer(
            img_size=size,
            patch_size=config.patch_size,
            embed_dim=config.network.dimension,
            depth=config.network.depth,
            num_heads=config.network.heads,
            mlp_ratio=config.network.mlp_ratio,
            num_classes=0,
            norm_layer=partial(nn.LayerNorm, eps=1e-6),
        )
        self.requires_grad_(requires_grad=False).eval()

    @classmethod
    def build(cls, config: TeacherConfig, size: int) -> Self:
        """A teacher with weights.

        Raises:
            ConfigurationError: No file is named.
            InputError: The file is absent, or holds another network.
        """
        if config.kind == "random":
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(_STAND_IN_SEED)
                return cls(config, size)
        if config.weights is None:
            raise ConfigurationError(
                "VQ-KD needs the file teacher.weights, which is not set: dino_vitbase16_pretrain.pth, which "
                "the repository facebookresearch/dino publishes. Without it: teacher.kind random, to try it "
                "out, or a published tokenizer, which needs no training."
            )
        teacher = cls(config, size)
        state = {k: v for k, v in read_weights(config.weights).items() if not k.startswith(_HEADS)}
        load_strictly(teacher.network, state, str(config.weights))
        return teacher

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        """Pictures (N, 3, S, S) in 0..1 (clamped to it) to features (N, h * h, F)."""
        mean, std = torch.tensor((IMAGENET_MEAN, IMAGENET_STD), device=images.device).view(2, 3, 1, 1)
        tokens: Tensor = self.network.forward_features((images.clamp(0, 1) - mean) / std)  # type: ignore[operator]
        return tokens[:, 1:]


@dataclass(frozen=True)
class VqkdLosses:
    """Scalars ``loss`` = ``features`` + ``commitment``, uses (K,) of the codes, the outputs, the target."""

    loss: Tensor
    features: Tensor
    commitment: Tensor
    counts: Tensor
    outputs: VqkdOutputs
    target: Tensor

    def metrics(self) -> dict[str, Tensor]:
        """Detached scalars for the log."""
        values = {
            "loss_features": self.features,
            "loss_commitment": self.commitment,
            "perplexity": perplexity(self.counts),
            "codebook_use": used_share(self.counts),
        }
        return {name: value.detach().float() for name, value in values.items()}


def vqkd_objective(model: VqkdTokenizer, teacher: Teacher, images: Tensor, beta: float) -> VqkdLosses:
    """Computes the loss of normalized pictures.

    Args:
        model: The tokenizer.
        teacher: The network whose features are predicted.
        images: (N, 3, S, S) in the tokenizer's units.
        beta: Weight of the commitment.
    """
    outputs: VqkdOutputs = model(images)
    target: Tensor = teacher(to_unit_range(images, model.pixels))
    features = (1 - F.cosine_similarity(outputs.features.float(), target.float(), dim=-1)).mean()
    entries = model.quantizer.codes.lookup(outputs.codes)
    commitment = beta * (entries - outputs.directions).square().mean()
    counts = code_counts(outputs.codes, model.vocabulary)
    return VqkdLosses(features + commitment, features, commitment, counts, outputs, target)
