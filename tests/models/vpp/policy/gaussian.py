"""A denoiser in closed form: of data that are normal with mean 0.3 and deviation 0.5."""

import torch
from torch import Tensor

MEAN, DEVIATION = 0.3, 0.5


def denoise(noisy: Tensor, sigma: float) -> Tensor:
    """The expected sample behind the noise."""
    share = DEVIATION**2 / (DEVIATION**2 + sigma**2)
    return MEAN + share * (noisy - MEAN)


def solution(start: Tensor, sigma: float, lower: float = 0.0) -> Tensor:
    """Where the differential equation leads from one level to a lower one."""
    factor = ((DEVIATION**2 + lower**2) / (DEVIATION**2 + sigma**2)) ** 0.5
    return MEAN + (start - MEAN) * factor


def starts(number: int, sigma: float, seed: int = 0) -> Tensor:
    """(number, 1) what data look like at a level, in double precision."""
    generator = torch.Generator().manual_seed(seed)
    normal = torch.randn(number, 1, generator=generator, dtype=torch.float64)
    return MEAN + (DEVIATION**2 + sigma**2) ** 0.5 * normal
