"""Videos from noise: Euler steps over falling noise levels, with classifier-free guidance per frame.

The levels are those of Karras et al. (arXiv 2206.00364, equation 5), the guidance that of Stable Video
Diffusion (arXiv 2311.15127, section 4): it grows along the frames, for the first one is known.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor

from vidrep_pipelines.models.vpp.video.codec import seeded_noise
from vidrep_pipelines.models.vpp.video.config import VideoSamplingConfig
from vidrep_pipelines.models.vpp.video.model import VideoDiffusion, time_ids_of


def noise_levels(steps: int, sigma_min: float, sigma_max: float, rho: float = 7.0) -> Tensor:
    """The noise level before each step, and after the last one zero: (steps + 1,), falling.

    Evenly spaced in sigma ** (1 / rho); a single step starts at ``sigma_max``. Computed in float64.
    """
    highest, lowest = sigma_max ** (1 / rho), sigma_min ** (1 / rho)
    roots = highest + torch.linspace(0, 1, steps, dtype=torch.float64) * (lowest - highest)
    return torch.cat([roots**rho, roots.new_zeros(1)]).to(torch.get_default_dtype())


def guidance_weights(config: VideoSamplingConfig, frames: int) -> Tensor:
    """The weight of the text at each frame, (F,)."""
    return torch.linspace(config.guidance_min, config.guidance, frames)


def draw_video_noise(seeds: Sequence[int], shape: Sequence[int], device: torch.device | str) -> Tensor:
    """Normal noise (B, F, C, h, w), each video's from its own seed, so that no batch changes it.

    Args:
        seeds: One per video.
        shape: (F, C, h, w).
        device: Where it is needed; the numbers are the same on all.
    """
    return seeded_noise(seeds, shape, torch.device(device))


def sample_video(
    model: VideoDiffusion,
    first: Tensor,
    text: Tensor,
    noise: Tensor,
    config: VideoSamplingConfig,
    unconditional: Tensor | None = None,
) -> Tensor:
    """Latents of videos that begin with a frame and do what is said.

    With one step, what the network sees behind pure noise. Without guidance, the network is not asked what it
    would predict without the text: half the work.

    Args:
        model: In evaluation mode.
        first: (B, C, h, w) stored latents of the first frames.
        text: (B, L, D) from :meth:`VideoDiffusion.encode_text`.
        noise: (B, F, C, h, w), standard normal.
        config: Steps, guidance, noise levels, and what the network is told of the pace.
        unconditional: (B, L, D) that stands for no text. None: zeros, as published.

    Returns:
        (B, F, C, h, w), scaled as they are stored.
    """
    levels = noise_levels(config.steps, config.sigma_min, config.sigma_max, config.rho).to(noise.device)
    denoiser = GuidedDenoiser(model, first, text, config, unconditional)
    videos = noise * (levels[0].square() + 1).sqrt()
    for level, following in pairwise(levels):
        videos = euler_step(videos, denoiser(videos, level), level, following)
    return videos


def euler_step(noisy: Tensor, denoised: Tensor, level: Tensor, following: Tensor) -> Tensor:
    """One step of the probability flow dx/dsigma = (x - D) / sigma, from a level to a lower one."""
    return denoised + (following / level) * (noisy - denoised)


class GuidedDenoiser:
    """The network with its conditions filled in: noisy latents and a noise level to a denoised guess.

    Args:
        model: The network.
        first: (B, C, h, w) stored latents of the first frames.
        text: (B, L, D).
        config: Guidance, and what the network is told of the pace.
        unconditional: (B, L, D) that stands for no text. None: zeros.
    """

    def __init__(
        self,
        model: VideoDiffusion,
        first: Tensor,
        text: Tensor,
        config: VideoSamplingConfig,
        unconditional: Tensor | None = None,
    ) -> None:
        self.model, self.config, self._guided = model, config, config.guidance > 1
        self._first, self._text = first, text
        if self._guided:
            without = torch.zeros_like(text) if unconditional is None else unconditional
            self._first, self._text = torch.cat([first, first]), torch.cat([without, text])
        told = config.frames_per_second, config.motion_bucket, config.noise_augmentation
        self._time_ids = time_ids_of(len(self._first), *told, first.device)

    def __call__(self, noisy: Tensor, level: Tensor) -> Tensor:
        """Denoised latents (B, F, C, h, w).

        Args:
            noisy: (B, F, C, h, w).
            level: The noise level of all of them.
        """
        if not self._guided:
            return self._denoised(noisy, level)
        without, with_text = self._denoised(torch.cat([noisy, noisy]), level).chunk(2)
        weights = guidance_weights(self.config, noisy.shape[1]).to(noisy)
        return without + weights[:, None, None, None] * (with_text - without)

    def _denoised(self, noisy: Tensor, level: Tensor) -> Tensor:
        levels = level.expand(len(noisy))
        return self.model.denoise(noisy, levels, self._first, self._text, self._time_ids)
