"""The loss of RSP, with all of its randomness passed in (arXiv 2406.07398, section 3)."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from vidrep_pipelines.models.layers.tokens import Masking, normalize_patches, patchify, random_masking
from vidrep_pipelines.models.rsp.config import RspModelConfig, RspObjectiveConfig
from vidrep_pipelines.models.rsp.model import RspModel, make_latent


@dataclass(frozen=True)
class RspRandomness:
    """Everything random in one step.

    Attributes:
        target_noise: (B, C, H, W) standard normal, added to the target that the posterior sees.
        mask_noise: (B, L) uniform in [0, 1); the patches with the smallest values stay visible.
        posterior_noise: (B, S, classes) Gumbel noise, or (B, S) standard normal for a continuous latent.
            To inject a class, give it 0 and the others minus infinity.
        prior_noise: Like ``posterior_noise``, for the sample of the prior.
    """

    target_noise: Tensor
    mask_noise: Tensor
    posterior_noise: Tensor
    prior_noise: Tensor


def draw_randomness(seeds: Tensor, config: RspModelConfig, device: torch.device | str) -> RspRandomness:
    """Draws the randomness of a batch, each sample from its own seed.

    Hence a sample's noise does not depend on how samples are put into batches, ranks and accumulation steps.

    Args:
        seeds: (B,) int64, one per sample.
        config: The architecture, for the shapes.
        device: Where to draw. Different kinds of device give different noise from the same seed.
    """
    generator = torch.Generator(device)
    latent = make_latent(config)
    shape = (config.channels, config.image_size, config.image_size)
    draws: list[tuple[Tensor, ...]] = []
    for seed in seeds.tolist():
        generator.manual_seed(seed)
        target_noise = torch.randn(shape, generator=generator, device=device)
        mask_noise = torch.rand(config.patches, generator=generator, device=device)
        draws.append(
            (target_noise, mask_noise, latent.draw_noise(generator), latent.draw_noise(generator)),
        )
    return RspRandomness(*(torch.stack(column) for column in zip(*draws, strict=True)))


@dataclass(frozen=True)
class RspOutputs:
    """The loss and all that led to it.

    Scalars: ``loss`` (to differentiate), ``posterior_loss``, ``masked_loss``, ``kl`` (nats, as it is),
    ``kl_loss`` (not below the free bits) and ``prior_loss`` (None when the prior was not decoded).
    Predictions (B, L, P) are in the units of the patch targets.
    """

    loss: Tensor
    posterior_loss: Tensor
    masked_loss: Tensor
    prior_loss: Tensor | None
    kl: Tensor
    kl_loss: Tensor
    source_tokens: Tensor
    target_tokens: Tensor
    masked_tokens: Tensor
    masking: Masking
    posterior: Tensor
    prior: Tensor
    posterior_prediction: Tensor
    prior_prediction: Tensor | None
    masked_prediction: Tensor
    target_patches: Tensor

    def metrics(self) -> dict[str, Tensor]:
        """Detached parts of the loss for the log; ``loss_prior`` only when the prior was decoded."""
        values = {
            "loss_posterior": self.posterior_loss,
            "loss_masked": self.masked_loss,
            "loss_prior": self.prior_loss,
            "kl": self.kl,
            "kl_clamped": self.kl_loss,
        }
        return {name: value.detach() for name, value in values.items() if value is not None}


def no_reduction(value: Tensor) -> Tensor:
    """The mean across the ranks of a single process: the value itself."""
    return value


def rsp_objective(
    model: RspModel,
    source: Tensor,
    target: Tensor,
    randomness: RspRandomness,
    config: RspObjectiveConfig,
    *,
    decode_prior: bool = True,
    mean_across_ranks: Callable[[Tensor], Tensor] = no_reduction,
) -> RspOutputs:
    """Computes loss = posterior_loss + kl_scale * kl_loss + masked_loss.

    Args:
        model: The model; under autocast the losses and the KL are in float32 all the same.
        source: (B, C, H, W) normalized pixels of the earlier frames.
        target: (B, C, H, W) normalized pixels of the later frames.
        randomness: The random inputs.
        config: Loss weights.
        decode_prior: Also predict from a sample of the prior, for the log; it has no gradient.
        mean_across_ranks: Mean of a scalar over all ranks, which decides whether the KL is under the free
            bits, so that several processes take the decision that one with the whole batch would take.
    """
    noisy_target = target + config.noise_scale * randomness.target_noise
    # One batch for both full frames: the same sums as two passes, in half as many, larger products.
    source_tokens, target_tokens = model.encoder(torch.cat([source, noisy_target])).chunk(2)
    masking = random_masking(randomness.mask_noise, config.mask_ratio)
    masked_tokens = model.encoder(target, masking.keep)

    posterior = model.posterior(source_tokens, target_tokens)
    prior = model.prior(source_tokens)
    kl = balanced_divergence(model, posterior, prior, config.kl_balance)
    kl_loss = with_free_bits(kl, config.kl_free_bits, mean_across_ranks)

    patches = patchify(target, model.config.patch_size)
    wanted = normalize_patches(patches) if config.normalize_patches else patches
    posterior_prediction = model.predict_future(
        source_tokens, model.latent.sample(posterior, randomness.posterior_noise)
    )
    masked_prediction = model.reconstruct(masked_tokens, masking.keep)
    posterior_loss = F.mse_loss(posterior_prediction.float(), wanted)
    masked_loss = masked_mean_squared_error(masked_prediction, wanted, masking.mask)
    prior_prediction = None
    if decode_prior:  # last, because autocast would keep the gradient-less copies of the weights made here
        with torch.no_grad():
            prior_prediction = model.predict_future(
                source_tokens, model.latent.sample(prior, randomness.prior_noise)
            )
    return RspOutputs(
        loss=posterior_loss + config.kl_scale * kl_loss + masked_loss,
        posterior_loss=posterior_loss,
        masked_loss=masked_loss,
        prior_loss=None if prior_prediction is None else F.mse_loss(prior_prediction.float(), wanted),
        kl=kl,
        kl_loss=kl_loss,
        source_tokens=source_tokens,
        target_tokens=target_tokens,
        masked_tokens=masked_tokens,
        masking=masking,
        posterior=posterior,
        prior=prior,
        posterior_prediction=posterior_prediction,
        prior_prediction=prior_prediction,
        masked_prediction=masked_prediction,
        target_patches=patches,
    )


def masked_mean_squared_error(prediction: Tensor, wanted: Tensor, mask: Tensor) -> Tensor:
    """Mean squared error of patches (B, L, P) where ``mask`` (B, L) is 1, over the whole batch."""
    error = (prediction.float() - wanted).square().mean(dim=-1)
    return (error * mask).sum() / mask.sum()


def balanced_divergence(model: RspModel, posterior: Tensor, prior: Tensor, balance: float) -> Tensor:
    """KL(posterior || prior) in nats, mean over the batch, with its gradient shared out.

    The fraction ``balance`` of the gradient goes to the posterior, the rest to the prior (DreamerV2,
    arXiv 2010.02193, algorithm 2).
    """
    to_posterior = model.latent.divergence(posterior, prior.detach()).mean()
    to_prior = model.latent.divergence(posterior.detach(), prior).mean()
    return balance * to_posterior + (1 - balance) * to_prior


def with_free_bits(kl: Tensor, free_bits: float, mean_across_ranks: Callable[[Tensor], Tensor]) -> Tensor:
    """``max(kl, free_bits)``, decided on the mean over all ranks; below, the gradient is exactly zero."""
    above = mean_across_ranks(kl.detach()) > free_bits
    return torch.where(above, kl, torch.full_like(kl, free_bits))
