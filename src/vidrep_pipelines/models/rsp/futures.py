"""How open RSP finds a future: what the posterior knows beyond the prior, where the prior's samples differ.

Everything is in pixels, 0 to 1, and nothing of the target reaches a prediction but through the posterior.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from vidrep_pipelines.data.imagenet import IMAGENET_STD
from vidrep_pipelines.models.layers.tokens import (
    denormalize_patches,
    patch_statistics,
    patchify,
    take_tokens,
    unpatchify,
)
from vidrep_pipelines.models.rsp.config import RspObjectiveConfig
from vidrep_pipelines.models.rsp.model import RspModel
from vidrep_pipelines.models.rsp.objective import RspRandomness, draw_randomness

PRIOR_SAMPLES = 3
_MOVED = 0.06
"""Mean change of a patch, as a share of white, from which it counts as moving: above the camera's noise."""


@dataclass(frozen=True)
class PredictedFutures:
    """Predictions of the frames after ``source``, in normalized pixels.

    Attributes:
        posterior: (B, 3, H, W) from a sample that has seen the target.
        priors: (B, ``PRIOR_SAMPLES``, 3, H, W) from samples that have seen the source only.
        kl: (B,) KL(posterior || prior) in nats.
    """

    posterior: Tensor
    priors: Tensor
    kl: Tensor


@dataclass(frozen=True)
class FutureErrors:
    """One number per pair, (B,) each; errors and differences are root mean squares as a share of white.

    Attributes:
        posterior: Error of the prediction that knows the target by the latent only.
        prior: Error of the prior's predictions, the mean over them.
        copied: Error of the source itself: the floor that needs no model.
        moving: Difference between the prior's samples where the target differs from the source; not a number
            where nothing moved.
        still: The same everywhere else.
        kl: KL(posterior || prior) in nats.
    """

    posterior: Tensor
    prior: Tensor
    copied: Tensor
    moving: Tensor
    still: Tensor
    kl: Tensor


@torch.no_grad()
def predicted_futures(
    model: RspModel, source: Tensor, target: Tensor, config: RspObjectiveConfig, seeds: Tensor
) -> PredictedFutures:
    """What may follow ``source``, drawn with ``seeds``.

    A model of normalized patches says nothing of a patch's mean and contrast. They are taken from the same
    place of the source, which the model was given, never from the target.

    Args:
        model: The model, on the device of the frames.
        source: (B, 3, H, W) normalized pixels.
        target: (B, 3, H, W) normalized pixels, for the posterior.
        config: The objective, for the noise and the kind of patch targets.
        seeds: (B,) int64; the same seeds give the same predictions.
    """
    draws = draw_randomness(seeds, model.config, source.device)
    source_tokens = model.encoder(source)
    posterior, prior = latent_parameters(model, source_tokens, target, config, draws)
    noises = [draws.posterior_noise]
    for number in range(PRIOR_SAMPLES):
        noises.append(draw_randomness(seeds + number, model.config, source.device).prior_noise)
    samples = [
        model.latent.sample(posterior if number == 0 else prior, noise) for number, noise in enumerate(noises)
    ]
    images = [
        in_pixels(model, model.predict_future(source_tokens, sample), source, config) for sample in samples
    ]
    return PredictedFutures(
        images[0], torch.stack(images[1:], dim=1), model.latent.divergence(posterior, prior)
    )


def latent_parameters(
    model: RspModel, source_tokens: Tensor, target: Tensor, config: RspObjectiveConfig, draws: RspRandomness
) -> tuple[Tensor, Tensor]:
    """Posterior and prior of the latent, (B, parameter_count) each."""
    target_tokens = model.encoder(target + config.noise_scale * draws.target_noise)
    return model.posterior(source_tokens, target_tokens), model.prior(source_tokens)


def in_pixels(model: RspModel, prediction: Tensor, reference: Tensor, config: RspObjectiveConfig) -> Tensor:
    """Predicted patches (B, L, P) as images (B, 3, H, W).

    Normalized patches get the mean and contrast of ``reference`` (B, 3, H, W): whose these are decides what a
    picture may claim.
    """
    prediction, patch = prediction.float(), model.config.patch_size
    if config.normalize_patches:
        prediction = denormalize_patches(prediction, patchify(reference, patch))
    return unpatchify(prediction, patch, model.config.channels)


def with_contrast_of(model: RspModel, predicted: Tensor, source: Tensor, target: Tensor) -> Tensor:
    """A prediction of normalized patches (B, 3, H, W) with the target's mean and contrast, not the source's.

    Most of what such a picture shows comes from the target: a prediction of zeros has it, too.
    """
    patch = model.config.patch_size
    mean, deviation = patch_statistics(patchify(source, patch))
    pattern = (patchify(predicted, patch) - mean) / deviation
    return unpatchify(denormalize_patches(pattern, patchify(target, patch)), patch, model.config.channels)


def rebuilt_in_pixels(
    model: RspModel, prediction: Tensor, target: Tensor, keep: Tensor, config: RspObjectiveConfig
) -> Tensor:
    """Reconstructed patches (B, L, P) as images (B, 3, H, W), of a frame whose patches ``keep`` are visible.

    Normalized patches get the average mean and contrast of the visible ones.
    """
    prediction, patch = prediction.float(), model.config.patch_size
    if config.normalize_patches:
        visible = take_tokens(patchify(target, patch), keep)
        mean, deviation = (values.mean(1, keepdim=True) for values in patch_statistics(visible))
        prediction = prediction * deviation + mean
    return unpatchify(prediction, patch, model.config.channels)


def future_errors(futures: PredictedFutures, source: Tensor, target: Tensor) -> FutureErrors:
    """Compares predictions with the truth, and the prior's samples with one another, pair by pair."""
    white = torch.tensor(IMAGENET_STD, device=source.device).view(3, 1, 1)
    change = ((target - source) * white).abs().mean(1)
    # What moved is decided in squares, not in pixels: the noise of a single one is no motion.
    side = max(1, source.shape[-1] // 16)
    squares = torch.nn.functional.avg_pool2d(change, side)
    moved = torch.nn.functional.interpolate(squares.unsqueeze(1), size=source.shape[-2:])[:, 0] > _MOVED
    spread = (futures.priors * white).var(dim=1).mean(1)  # (B, H, W)

    def error(predicted: Tensor) -> Tensor:
        return ((predicted - target) * white).square().mean((-1, -2, -3)).sqrt()

    priors = [error(one) for one in futures.priors.unbind(1)]
    return FutureErrors(
        posterior=error(futures.posterior),
        prior=torch.stack(priors).mean(0),
        copied=error(source),
        moving=_mean_where(spread, moved).sqrt(),
        still=_mean_where(spread, ~moved).sqrt(),
        kl=futures.kl,
    )


def _mean_where(values: Tensor, where: Tensor) -> Tensor:
    """Mean of (B, H, W) over the marked places of each; not a number without any."""
    return (values * where).sum((1, 2)) / where.sum((1, 2))
