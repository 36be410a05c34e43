"""The loss of the tokenizer ``vae``."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from vidrep_pipelines.models.shared.code_counts import code_counts, perplexity, used_share
from vidrep_pipelines.models.shared.units import clamped_psnr, to_unit_range
from vidrep_pipelines.models.voc.tokenizers.config import PixelConfig
from vidrep_pipelines.models.voc.tokenizers.vae.config import VaeObjectiveConfig
from vidrep_pipelines.models.voc.tokenizers.vae.model import VaeOutputs, VaeTokenizer


@dataclass(frozen=True)
class VaeLosses:
    """Scalars ``loss`` = ``pixel`` + perceptual weight x ``perceptual`` + ``codebook``, and the outputs."""

    loss: Tensor
    pixel: Tensor
    perceptual: Tensor
    codebook: Tensor
    counts: Tensor
    psnr: Tensor
    outputs: VaeOutputs

    def metrics(self) -> dict[str, Tensor]:
        """Detached scalars for the log."""
        values = {
            "loss_pixel": self.pixel,
            "loss_perceptual": self.perceptual,
            "loss_codebook": self.codebook,
            "psnr": self.psnr,
            "perplexity": perplexity(self.counts),
            "codebook_use": used_share(self.counts),
        }
        return {name: value.detach().float() for name, value in values.items()}


def vae_objective(
    model: VaeTokenizer, images: Tensor, config: VaeObjectiveConfig, perceptual: nn.Module | None = None
) -> VaeLosses:
    """Computes the loss of normalized pictures.

    Args:
        model: The tokenizer; under autocast the losses are in float32 all the same.
        images: (N, 3, S, S).
        config: Weights.
        perceptual: Maps two sets of pictures (N, 3, S, S) in 0..1 to distances (N,); None: L1 alone.
    """
    outputs: VaeOutputs = model(images)
    rebuilt = outputs.reconstruction.float()
    pixel = (images - rebuilt).abs().mean()
    distance = images.new_zeros(())
    if perceptual is not None and config.perceptual_weight:
        distance = perceptual(*_compared(images, rebuilt, config, model.pixels)).mean()
    codebook = model.quantization_loss(outputs.quantized, config.quantization)
    return VaeLosses(
        loss=pixel + config.perceptual_weight * distance + codebook,
        pixel=pixel,
        perceptual=distance,
        codebook=codebook,
        counts=code_counts(outputs.quantized.codes, model.vocabulary),
        psnr=_psnr(images, rebuilt.detach(), model.pixels),
        outputs=outputs,
    )


def _compared(
    images: Tensor, rebuilt: Tensor, config: VaeObjectiveConfig, pixels: PixelConfig
) -> tuple[Tensor, Tensor]:
    """Both pictures as LPIPS gets them, which takes 0..1 and itself goes on to -1..1."""
    if config.perceptual_input == "unit":
        return to_unit_range(images, pixels), to_unit_range(rebuilt, pixels)
    return (images + 1) / 2, (rebuilt + 1) / 2


@torch.no_grad()
def _psnr(images: Tensor, rebuilt: Tensor, pixels: PixelConfig) -> Tensor:
    return clamped_psnr(to_unit_range(images, pixels), to_unit_range(rebuilt, pixels))
