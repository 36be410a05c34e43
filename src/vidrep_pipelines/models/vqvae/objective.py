"""The losses of VQ-VAE (the original's, and the adversarial one of VQGAN)."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import torch
from torch import Tensor, nn

from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.models.layers import action_features, perceptual_distance
from vidrep_pipelines.models.layers.action_features import ActionFeatures
from vidrep_pipelines.models.layers.perceptual_distance import PerceptualDistance
from vidrep_pipelines.models.layers.vector_quantizer import Quantized, codebook_loss
from vidrep_pipelines.models.shared.code_counts import code_counts, perplexity, used_share
from vidrep_pipelines.models.shared.units import clamped_psnr, to_unit_range
from vidrep_pipelines.models.vqvae.config import LossFiles, VqvaeDataConfig, VqvaeObjectiveConfig
from vidrep_pipelines.models.vqvae.model import VqvaeModel, VqvaeOutputs


@dataclass(frozen=True)
class LossNetworks:
    """The frozen networks that losses compare by; None where no weight asks for one.

    Attributes:
        perceptual: Maps two sets of frames (N, 3, H, W) in 0..1 to distances (N,).
        action_features: Maps clips (B, T, 3, H, W) in 0..1 to features (B, D).
    """

    perceptual: nn.Module | None = None
    action_features: nn.Module | None = None

    def to(self, device: torch.device) -> Self:
        """Moves the networks, and returns this object."""
        for network in (self.perceptual, self.action_features):
            if network is not None:
                network.to(device)
        return self


@dataclass(frozen=True)
class VqvaeLosses:
    """The loss and its parts.

    Scalars: ``loss`` (to differentiate) = ``reconstruction`` + codebook weight x ``codebook``;
    ``reconstruction`` = the weighted ``pixel``, ``perceptual`` and ``fvd``; ``fvd`` = the weighted
    ``fvd_mean`` and ``fvd_covariance``. Parts of weight zero are zero. ``counts`` (K,): use of the codes.
    """

    loss: Tensor
    reconstruction: Tensor
    pixel: Tensor
    perceptual: Tensor
    fvd: Tensor
    fvd_mean: Tensor
    fvd_covariance: Tensor
    codebook: Tensor
    counts: Tensor
    psnr: Tensor
    outputs: VqvaeOutputs

    def metrics(self) -> dict[str, Tensor]:
        """Detached scalars for the log."""
        values = {
            "loss_reconstruction": self.reconstruction,
            "loss_pixel": self.pixel,
            "loss_perceptual": self.perceptual,
            "loss_fvd": self.fvd,
            "loss_codebook": self.codebook,
            "psnr": self.psnr,
            "perplexity": perplexity(self.counts),
            "codebook_use": used_share(self.counts),
        }
        return {name: value.detach().float() for name, value in values.items()}


def vqvae_objective(
    model: VqvaeModel,
    images: Tensor,
    config: VqvaeObjectiveConfig,
    data: VqvaeDataConfig,
    networks: LossNetworks | None = None,
) -> VqvaeLosses:
    """Computes the loss of standardized images.

    Args:
        model: The model; under autocast the losses are in float32 all the same.
        images: (B, 3, H, W) or (B, T, 3, H, W).
        config: Weights.
        data: Mean and deviation that the images were standardized with.
        networks: What perceptual and clip losses need.

    Raises:
        InputError: A weight asks for a network that is not given, or for clips and gets frames.
    """
    networks = networks or LossNetworks()
    outputs: VqvaeOutputs = model(images)
    reconstruction = outputs.reconstruction.float()
    zero = images.new_zeros(())
    pixel = (images - reconstruction).abs().mean() if config.pixel_weight else zero
    perceptual = zero
    if config.perceptual_weight:
        perceptual = perceptual_loss(images, reconstruction, config, data, networks)
    fvd_mean, fvd_covariance = zero, zero
    if config.needs_action_features:
        fvd_mean, fvd_covariance = clip_statistics_loss(images, reconstruction, data, networks)
    fvd = config.fvd_mean_weight * fvd_mean + config.fvd_covariance_weight * fvd_covariance
    rebuilt = config.pixel_weight * pixel + config.perceptual_weight * perceptual + fvd
    codebook = zero
    if config.codebook_weight and model.quantizer.learns:
        codebook = quantization_loss(model, outputs.quantized, config)
    return VqvaeLosses(
        loss=rebuilt + config.codebook_weight * codebook,
        reconstruction=rebuilt,
        pixel=pixel,
        perceptual=perceptual,
        fvd=fvd,
        fvd_mean=fvd_mean,
        fvd_covariance=fvd_covariance,
        codebook=codebook,
        counts=code_counts(outputs.quantized.codes, model.quantizer.size),
        psnr=mean_psnr(images, reconstruction.detach(), data),
        outputs=outputs,
    )


def quantization_loss(model: VqvaeModel, quantized: Quantized, config: VqvaeObjectiveConfig) -> Tensor:
    """The codebook loss; only the commitment to the entries where these follow moving averages."""
    legacy, beta = config.codebook_loss_weighting == "legacy", config.codebook_beta
    learned = model.codebook_average is None
    return codebook_loss(
        quantized.latents,
        model.quantizer.lookup(quantized.codes),
        commitment_weight=1.0 if legacy else beta,
        codebook_weight=(beta if legacy else 1.0) if learned else 0.0,
    )


def perceptual_loss(
    images: Tensor,
    reconstruction: Tensor,
    config: VqvaeObjectiveConfig,
    data: VqvaeDataConfig,
    networks: LossNetworks,
) -> Tensor:
    """Mean LPIPS of the frames.

    Raises:
        InputError: There is no network.
    """
    if networks.perceptual is None:
        raise InputError("perceptual_weight is above zero, but there is no perceptual network.")
    pair = (images, reconstruction)
    if config.perceptual_input == "unit":
        pair = (to_unit_range(images, data), to_unit_range(reconstruction, data))
    first, second = (frames.reshape(-1, *frames.shape[-3:]) for frames in pair)
    distances: Tensor = networks.perceptual(first, second)
    return distances.mean()


def clip_statistics_loss(
    images: Tensor, reconstruction: Tensor, data: VqvaeDataConfig, networks: LossNetworks
) -> tuple[Tensor, Tensor]:
    """How far apart real and reconstructed clips are in mean and covariance of their action features.

    Returns:
        Mean squared differences: of the means over the batch, and of the unbiased covariances.

    Raises:
        InputError: There is no network, or the batch is not several clips.
    """
    if networks.action_features is None:
        raise InputError("fvd weights are above zero, but there is no network of action features.")
    if images.ndim != 5 or len(images) < 2:
        raise InputError("fvd weights need batches of at least two clips: set data.clip_frames, batch_size.")
    real = networks.action_features(to_unit_range(images, data)).float()
    other = networks.action_features(to_unit_range(reconstruction, data)).float()
    mean = (real.mean(dim=0) - other.mean(dim=0)).square().mean()
    covariance = (torch.cov(real.T) - torch.cov(other.T)).square().mean()
    return mean, covariance


@torch.no_grad()
def mean_psnr(images: Tensor, reconstruction: Tensor, data: VqvaeDataConfig) -> Tensor:
    """Mean over frames of the peak signal-to-noise ratio in decibels, of pixels clamped to 0..1."""
    return clamped_psnr(to_unit_range(images, data), to_unit_range(reconstruction, data))


_STAND_IN_SEED = 7
_STAND_IN_WIDTHS = (16, 32, 64, 64, 64)


def load_loss_networks(
    config: VqvaeObjectiveConfig, files: LossFiles, device: torch.device | str
) -> LossNetworks:
    """Builds what the weights ask for, in evaluation mode.

    Raises:
        ConfigurationError: A file is needed and not named.
        InputError: A file is absent, or holds another network.
    """
    features = None
    if config.needs_action_features:
        path = _needed(files.action_features, "action_features", "fvd weights", action_features.HOW_TO_GET)
        features = ActionFeatures.load(path).to(device)
    return LossNetworks(perceptual=_perceptual(config, files, device), action_features=features)


def _perceptual(
    config: VqvaeObjectiveConfig, files: LossFiles, device: torch.device | str
) -> nn.Module | None:
    if not config.perceptual_weight:
        return None
    if config.perceptual_network == "random":
        return PerceptualDistance.random(_STAND_IN_SEED, _STAND_IN_WIDTHS).to(device).eval()
    help_text = (
        perceptual_distance.HOW_TO_GET + " Without them: perceptual_weight 0, or perceptual_network random."
    )
    trunk = _needed(files.perceptual_trunk, "perceptual_trunk", "perceptual_weight", help_text)
    heads = _needed(files.perceptual_heads, "perceptual_heads", "perceptual_weight", help_text)
    return PerceptualDistance.load(trunk, heads).to(device).eval()


def _needed(path: Path | None, field: str, weight: str, help_text: str) -> Path:
    if path is None:
        raise ConfigurationError(f"{weight} above zero needs the file {field}, which is not set. {help_text}")
    return path
