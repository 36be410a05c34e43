"""Falling noise levels for sampling: how the original spaces them, each by its own formula.

All give (steps + 1,) levels whose last one is zero, computed in double precision.
"""

from math import log, pi

import torch
from torch import Tensor

from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.models.vpp.policy.config import ScheduleName

_RHO = 7.0
_BETA_RANGE, _BETA_MIN, _LAST_TIME = 19.9, 0.1, 1e-3
_IDDPM_LEVELS, _IDDPM_LEAST_RATIO = 1000, 1e-3
_COSINE_OFFSET, _MOST_BETA = 0.008, 0.999


def policy_noise_levels(schedule: ScheduleName, steps: int, sigma_min: float, sigma_max: float) -> Tensor:
    """The noise level before each step, and after the last one zero: (steps + 1,), falling.

    Args:
        schedule: ``vp`` and ``cosine_beta`` know nothing of the bounds; ``vp`` starts at 152, ``cosine_beta``
            (whose numbers are variances of steps, used as levels in the original) below 1. ``ve`` goes below
            ``sigma_min``, and ``iddpm`` starts at its first level within the bounds.
        steps: Levels above zero.
        sigma_min: The lowest of them.
        sigma_max: The highest.
    """
    spacings = {
        "exponential": _exponential,
        "karras": _karras,
        "linear": _linear,
        "vp": _variance_preserving,
        "ve": _variance_exploding,
        "iddpm": _improved_ddpm,
        "cosine_beta": _cosine_betas,
    }
    levels = spacings[schedule](steps, sigma_min, sigma_max)
    return torch.cat([levels, levels.new_zeros(1)]).to(torch.get_default_dtype())


def _line(start: float, stop: float, steps: int) -> Tensor:
    return torch.linspace(start, stop, steps, dtype=torch.float64)


def _exponential(steps: int, low: float, high: float) -> Tensor:
    """Evenly in the logarithm."""
    return _line(log(high), log(low), steps).exp()


def _karras(steps: int, low: float, high: float) -> Tensor:
    """Evenly in the seventh root (arXiv 2206.00364, equation 5)."""
    return _line(high ** (1 / _RHO), low ** (1 / _RHO), steps) ** _RHO


def _linear(steps: int, low: float, high: float) -> Tensor:
    return _line(high, low, steps)


def _variance_preserving(steps: int, low: float, high: float) -> Tensor:
    """Evenly in the time of the variance-preserving process (arXiv 2011.13456; 2206.00364, table 1)."""
    times = _line(1.0, _LAST_TIME, steps)
    return torch.expm1(_BETA_RANGE * times**2 / 2 + _BETA_MIN * times).sqrt()


def _variance_exploding(steps: int, low: float, high: float) -> Tensor:
    """Evenly in the logarithm, but as published by (n + 1) / (n - 1) too far, so that it passes ``low``."""
    places = _line(0.0, steps + 1, steps) / max(steps - 1, 1)
    return high * (low / high) ** places


def _improved_ddpm(steps: int, low: float, high: float) -> Tensor:
    """Levels of improved DDPM (arXiv 2102.09672) as continued by Karras et al., evenly among those allowed.

    Raises:
        ConfigurationError: No level lies within the bounds.
    """
    levels = [0.0]
    for ratio in _shares_kept(_IDDPM_LEVELS):
        levels.append(((levels[-1] ** 2 + 1) / max(ratio, _IDDPM_LEAST_RATIO) - 1) ** 0.5)
    allowed = torch.tensor([level for level in reversed(levels) if low <= level <= high], dtype=torch.float64)
    if not len(allowed):
        raise ConfigurationError(
            f"The schedule iddpm has no noise level from {low} to {high}. Remedy: set sigma_min and "
            "sigma_max further apart."
        )
    return allowed[_line(0.0, len(allowed) - 1, steps).round().long()]


def _cosine_betas(steps: int, low: float, high: float) -> Tensor:
    """Variances of the steps of improved DDPM, the last one first (arXiv 2102.09672, equation 17)."""
    betas = [min(1 - ratio, _MOST_BETA) for ratio in _shares_kept(steps)]
    return torch.tensor(betas[::-1], dtype=torch.float64)


def _shares_kept(steps: int) -> list[float]:
    """What each step of improved DDPM keeps of the signal's energy."""
    angles = (_line(0.0, 1.0, steps + 1) + _COSINE_OFFSET) / (1 + _COSINE_OFFSET) * pi / 2
    left = angles.cos().square()
    ratios: list[float] = (left[1:] / left[:-1]).tolist()
    return ratios
