"""The loss of the masked autoencoder, with its randomness passed in."""

import torch
from torch import Tensor

from tests.architecture.mae_system.config import MaeObjectiveConfig
from tests.architecture.mae_system.model import MaeModel
from vidrep_pipelines.models.layers.tokens import Masking, normalize_patches, patchify, random_masking


def draw_masking(seeds: Tensor, patches: int, config: MaeObjectiveConfig) -> Masking:
    """Which of L patches are hidden, for each sample by its own seed (B,) int64."""
    generator = torch.Generator()
    noise = [torch.rand(patches, generator=generator.manual_seed(seed)) for seed in seeds.tolist()]
    return random_masking(torch.stack(noise), config.mask_ratio)


def mae_loss(model: MaeModel, images: Tensor, masking: Masking) -> Tensor:
    """Mean squared error over the hidden patches of standardized images (B, 3, S, S): section 3."""
    target = normalize_patches(patchify(images, model.config.patch_size))
    keep, mask = (part.to(images.device) for part in (masking.keep, masking.mask))
    error = (model(images, keep) - target).square().mean(dim=-1)
    return (error * mask).sum() / mask.sum()
