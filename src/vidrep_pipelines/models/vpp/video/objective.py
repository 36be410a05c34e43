"""The loss of text-guided video diffusion, with all of its randomness passed in (arXiv 2206.00364).

Shapes: latents of a clip (B, F, C, h, w), with the codec's scale; noise levels (B,); pictures (B, 3, H, W)
from -1 to 1.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from vidrep_pipelines.models.vpp.video.config import VideoObjectiveConfig
from vidrep_pipelines.models.vpp.video.model import VideoDiffusion, time_ids_of


@dataclass(frozen=True)
class VideoRandomness:
    """Everything random in one step.

    Attributes:
        text_uniform: (B,) uniform in [0, 1); instructions below the dropout are left out.
        sigma_normal: (B,) standard normal, which becomes the noise level.
        noise: (B, F, C, h, w) standard normal, on the latents.
        augmentation_normal: (B,) standard normal, which becomes the strength of the first picture's noise.
        picture_noise: (B, 3, H, W) standard normal, on the first picture; None where latents are stored.
    """

    text_uniform: Tensor
    sigma_normal: Tensor
    noise: Tensor
    augmentation_normal: Tensor | None = None
    picture_noise: Tensor | None = None


def draw_video_randomness(
    seeds: Tensor,
    shape: tuple[int, ...],
    device: torch.device | str,
    picture_shape: tuple[int, ...] | None = None,
) -> VideoRandomness:
    """Draws the randomness of a batch, each sample from its own seed.

    Hence a sample's noise does not depend on how samples are put into batches, ranks and accumulation steps.

    Args:
        seeds: (B,) int64, one per sample.
        shape: (F, C, h, w) of a sample's latents.
        device: Where to draw. Different kinds of device give different noise from the same seed.
        picture_shape: (3, H, W) of the first picture, to draw noise for it as well.
    """
    generator = torch.Generator(device)
    draws: list[tuple[Tensor, ...]] = []
    for seed in seeds.tolist():
        generator.manual_seed(seed)
        uniform = torch.rand((), generator=generator, device=device)
        shapes = [(), shape] if picture_shape is None else [(), shape, (), picture_shape]
        normals = [torch.randn(size, generator=generator, device=device) for size in shapes]
        draws.append((uniform, *normals))
    return VideoRandomness(*(torch.stack(column) for column in zip(*draws, strict=True)))


@dataclass(frozen=True)
class FirstFrame:
    """A condition that is not simply the clip's own first latent.

    Attributes:
        latent: (B, C, h, w) latent of the first frame, with the codec's scale.
        noise: (B,) strength of the noise that is on it, which the UNet is told.
    """

    latent: Tensor
    noise: Tensor


def with_noise_on_picture(
    pictures: Tensor, randomness: VideoRandomness, config: VideoObjectiveConfig
) -> tuple[Tensor, Tensor]:
    """Adds noise to first frames, before they are encoded: training from pixels.

    Args:
        pictures: (B, 3, H, W) from -1 to 1.
        randomness: With ``augmentation_normal`` and ``picture_noise``.
        config: The strength's distribution, and whether a batch shares one.

    Returns:
        The pictures, and the strengths (B,): what the UNet is to be told.
    """
    normal, noise = randomness.augmentation_normal, randomness.picture_noise
    if config.pixel_augmentation == "none" or normal is None or noise is None:
        return pictures, pictures.new_full((len(pictures),), config.noise_augmentation)
    if config.pixel_augmentation == "batch":
        normal = normal[:1].expand(len(pictures))
    strength = torch.exp(config.augmentation_mean + config.augmentation_deviation * normal)
    return pictures + strength.reshape(-1, 1, 1, 1) * noise, strength


@dataclass(frozen=True)
class VideoOutputs:
    """The loss and all that led to it.

    Attributes:
        loss: The mean of ``losses``, to differentiate.
        losses: (B,) weighted squared error of each sample, mean over its numbers.
        errors: (B,) the same without the weight, in squared units of the latents.
        sigma: (B,) noise levels.
        keep: (B,) whether the instruction was told.
        text: (B, L, D) what the UNet attended to.
        time_ids: (B, 3) what it was told besides.
        first: (B, C, h, w) the condition, with the codec's scale.
        noisy: (B, F, C, h, w) what was denoised.
        denoised: (B, F, C, h, w) D(noisy; sigma).
    """

    loss: Tensor
    losses: Tensor
    errors: Tensor
    sigma: Tensor
    keep: Tensor
    text: Tensor
    time_ids: Tensor
    first: Tensor
    noisy: Tensor
    denoised: Tensor

    def metrics(self) -> Mapping[str, Tensor]:
        """Detached means for the log."""
        return {"error": self.errors.mean().detach(), "log_sigma": self.sigma.log().mean().detach()}


def sigma_of(normal: Tensor, config: VideoObjectiveConfig) -> Tensor:
    """The noise levels of standard normal numbers: their logarithm is normal."""
    return torch.exp(config.noise_deviation * normal + config.noise_mean)


def normal_of(sigma: Tensor, config: VideoObjectiveConfig) -> Tensor:
    """The standard normal numbers that :func:`sigma_of` makes these noise levels of, to ask for a level."""
    return (sigma.log() - config.noise_mean) / config.noise_deviation


def video_objective(
    model: VideoDiffusion,
    latents: Tensor,
    ids: Tensor,
    mask: Tensor,
    randomness: VideoRandomness,
    config: VideoObjectiveConfig,
    first: FirstFrame | None = None,
    other_camera: Tensor | None = None,
) -> VideoOutputs:
    """Computes the mean of (sigma^2 + 1) / sigma^2 (D(x + sigma noise; sigma) - x)^2.

    Args:
        model: The model; under autocast, noise levels and loss are in single precision all the same.
        latents: (B, F, C, h, w) clips x, with the codec's scale.
        ids: (B, L) numbers of the instructions' tokens.
        mask: (B, L) 1 where there is one.
        randomness: The random inputs.
        config: The distribution of noise levels, and what the UNet is told.
        first: The condition. None: the clip's own first latent, without noise.
        other_camera: (B, 3, H, W) in 0..1, for models that look at another camera's first frame; left out
            together with the instruction.
    """
    latents = latents.float()
    if first is None:
        noise_on_first = latents.new_full((len(latents),), config.noise_augmentation)
        first = FirstFrame(latents[:, 0], noise_on_first)
    keep = randomness.text_uniform >= config.text_dropout
    text = model.encode_text(ids, mask, other_camera) * keep[:, None, None]
    time_ids = time_ids_of(
        len(latents), config.frames_per_second, config.motion_bucket, first.noise, latents.device
    )
    sigma = sigma_of(randomness.sigma_normal, config)
    noisy = latents + sigma.reshape(-1, 1, 1, 1, 1) * randomness.noise
    denoised = model.denoise(noisy, sigma, first.latent, text, time_ids)
    errors = (denoised - latents).square().flatten(1).mean(dim=1)
    losses = (sigma.square() + 1) / sigma.square() * errors
    return VideoOutputs(
        loss=losses.mean(),
        losses=losses,
        errors=errors,
        sigma=sigma,
        keep=keep,
        text=text,
        time_ids=time_ids,
        first=first.latent,
        noisy=noisy,
        denoised=denoised,
    )
