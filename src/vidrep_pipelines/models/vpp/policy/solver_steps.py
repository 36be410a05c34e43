"""What all samplers are made of: the denoiser that they call, and steps from a noise level to a lower one.

Diffusion as an ordinary differential equation: dx / dsigma = (x - D(x; sigma)) / sigma (arXiv 2206.00364,
equation 3). Noise levels are plain numbers, so that their differences are exact to double precision.
"""

from collections.abc import Callable, Sequence
from math import expm1, inf, log, sqrt

import torch
from torch import Tensor

Denoise = Callable[[Tensor, float], Tensor]
"""What is behind the noise: D(x; sigma) for samples (B, ...) that all have the noise level sigma."""

DrawNoise = Callable[[], Tensor]
"""Fresh standard normal numbers of the samples' shape, at each call."""


def denoised_at(denoise: Callable[[Tensor, Tensor], Tensor]) -> Denoise:
    """A denoiser that takes one level for all, of one that takes a level for each sample, (B,)."""

    def call(noisy: Tensor, sigma: float) -> Tensor:
        return denoise(noisy, noisy.new_full((len(noisy),), sigma))

    return call


def draws_of(seeds: Sequence[int], shape: Sequence[int], like: Tensor) -> DrawNoise:
    """Noise for the samples of a batch, each from its own seed, so that no batch changes it.

    Args:
        seeds: One per sample.
        shape: Of one sample.
        like: A tensor of the precision and on the device that are wanted; the numbers are drawn on the CPU.
    """
    generators = [torch.Generator().manual_seed(int(seed)) for seed in seeds]

    def draw() -> Tensor:
        return torch.stack([torch.randn(*shape, generator=generator) for generator in generators]).to(like)

    return draw


def slope(noisy: Tensor, denoised: Tensor, sigma: float) -> Tensor:
    """The slope dx / dsigma of the way through samples x at a level."""
    return (noisy - denoised) / sigma


def exponential_step(noisy: Tensor, denoised: Tensor, sigma: float, lower: float) -> Tensor:
    """The solution at a lower level if what is denoised stays the same: DPM-Solver++(1), which is DDIM.

    arXiv 2211.01095, equation 9. At level zero it is what is denoised.
    """
    return (lower / sigma) * noisy - expm1(-time_between(sigma, lower)) * denoised


def time_between(sigma: float, lower: float) -> float:
    """The step h in the time t = -ln(sigma); infinite to level zero."""
    return log(sigma) - log(lower) if lower > 0 else inf


def level_between(sigma: float, lower: float, share: float = 0.5) -> float:
    """The level at a share of the way, evenly in ln(sigma)."""
    return float(sigma ** (1 - share) * lower**share)


def ancestral_levels(sigma: float, lower: float) -> tuple[float, float]:
    """How far to denoise, and how much noise to add, to arrive at a lower level (arXiv 2006.11239)."""
    up = min(lower, lower * sqrt(sigma**2 - lower**2) / sigma)
    return sqrt(lower**2 - up**2), up
