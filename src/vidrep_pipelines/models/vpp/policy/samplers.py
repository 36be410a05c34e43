"""Samplers: from noise to samples along falling noise levels, all through :func:`sample_actions`.

This file has those whose steps are alone with their two levels; ``multistep_samplers.py`` those that remember
earlier ones or choose the levels between. The original has the same by these names; its `dpm_adaptive`, which
uses a variable that it never sets, is left out.
"""

from collections.abc import Callable
from itertools import pairwise
from math import sqrt

from torch import Tensor

from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.models.vpp.policy.config import SamplerName
from vidrep_pipelines.models.vpp.policy.multistep_samplers import dpm_fast, dpmpp_2m, linear_multistep
from vidrep_pipelines.models.vpp.policy.solver_steps import (
    Denoise,
    DrawNoise,
    ancestral_levels,
    exponential_step,
    level_between,
    slope,
)


def sample_actions(
    denoise: Denoise, start: Tensor, levels: Tensor, sampler: SamplerName, noise: DrawNoise | None = None
) -> Tensor:
    """Samples from noise.

    Args:
        denoise: D(x; sigma).
        start: (B, ...) noise whose standard deviation is the first level.
        levels: (steps + 1,) falling to zero, see ``noise_schedules.py``.
        sampler: The way from one level to the next.
        noise: Where fresh noise comes from, for ``STOCHASTIC_SAMPLERS``; others do not call it. The same
            noise gives the same samples.

    Returns:
        (B, ...).

    Raises:
        ConfigurationError: Levels do not fall to zero, or a stochastic sampler gets no noise.
    """
    falling: list[float] = levels.tolist()
    if len(falling) < 2 or falling[-1] != 0 or any(high <= low for high, low in pairwise(falling)):
        raise ConfigurationError(
            "Noise levels must fall to zero from step to step. Remedy: for many steps, set sigma_min and "
            "sigma_max further apart, or take another schedule than iddpm."
        )
    if sampler in _WHOLE:
        return _WHOLE[sampler](denoise, start, falling)
    if sampler in _STEPS:
        step = _STEPS[sampler]
        for sigma, lower in pairwise(falling):
            start = step(denoise, start, sigma, lower)
        return start
    if noise is None:
        raise ConfigurationError(f"The sampler {sampler} adds noise on its way. Remedy: give it noise.")
    noisy_step = _NOISY_STEPS[sampler]
    for sigma, lower in pairwise(falling):
        start = noisy_step(denoise, start, sigma, lower, noise)
    return start


def _ddim(denoise: Denoise, noisy: Tensor, sigma: float, lower: float) -> Tensor:
    return exponential_step(noisy, denoise(noisy, sigma), sigma, lower)


def _euler(denoise: Denoise, noisy: Tensor, sigma: float, lower: float) -> Tensor:
    return noisy + (lower - sigma) * slope(noisy, denoise(noisy, sigma), sigma)


def _heun(denoise: Denoise, noisy: Tensor, sigma: float, lower: float) -> Tensor:
    """The mean of both ends' slopes (arXiv 2206.00364, algorithm 1)."""
    first = slope(noisy, denoise(noisy, sigma), sigma)
    there = noisy + (lower - sigma) * first
    if lower == 0:
        return there
    second = slope(there, denoise(there, lower), lower)
    return noisy + (lower - sigma) * (first + second) / 2


def _dpm_2(denoise: Denoise, noisy: Tensor, sigma: float, lower: float) -> Tensor:
    """The slope in the middle of ln(sigma) (DPM-Solver-2, arXiv 2206.00927)."""
    first = slope(noisy, denoise(noisy, sigma), sigma)
    if lower == 0:
        return noisy - sigma * first
    middle = level_between(sigma, lower)
    halfway = noisy + (middle - sigma) * first
    return noisy + (lower - sigma) * slope(halfway, denoise(halfway, middle), middle)


def _dpmpp_2s(denoise: Denoise, noisy: Tensor, sigma: float, lower: float) -> Tensor:
    """What is denoised in the middle stands for the whole step (DPM-Solver++(2S), arXiv 2211.01095)."""
    first = denoise(noisy, sigma)
    if lower == 0:
        return exponential_step(noisy, first, sigma, lower)
    middle = level_between(sigma, lower)
    halfway = exponential_step(noisy, first, sigma, middle)
    return exponential_step(noisy, denoise(halfway, middle), sigma, lower)


def _ancestral(step: "_Step") -> "_NoisyStep":
    """A step that goes further down and comes back by fresh noise."""

    def noisy_step(denoise: Denoise, noisy: Tensor, sigma: float, lower: float, noise: DrawNoise) -> Tensor:
        down, up = ancestral_levels(sigma, lower)
        there = step(denoise, noisy, sigma, down)
        return there + up * noise() if up > 0 else there

    return noisy_step


def _dpmpp_sde(denoise: Denoise, noisy: Tensor, sigma: float, lower: float, noise: DrawNoise) -> Tensor:
    """DPM-Solver++ for the stochastic equation, with a stop in the middle (arXiv 2211.01095, appendix).

    The noise until the middle is part of the noise of the whole step, as the increments of one Brownian
    motion over the levels are.
    """
    first = denoise(noisy, sigma)
    if lower == 0:
        return exponential_step(noisy, first, sigma, lower)
    middle = level_between(sigma, lower)
    until, after = noise(), noise()
    down, up = ancestral_levels(sigma, middle)
    halfway = exponential_step(noisy, first, sigma, down) + up * until
    down, up = ancestral_levels(sigma, lower)
    whole = (sqrt(sigma - middle) * until + sqrt(middle - lower) * after) / sqrt(sigma - lower)
    return exponential_step(noisy, denoise(halfway, middle), sigma, down) + up * whole


_Step = Callable[[Denoise, Tensor, float, float], Tensor]
_NoisyStep = Callable[[Denoise, Tensor, float, float, DrawNoise], Tensor]

_STEPS: dict[str, _Step] = {
    "ddim": _ddim,
    "euler": _euler,
    "heun": _heun,
    "dpm_2": _dpm_2,
    "dpmpp_2s": _dpmpp_2s,
}
_NOISY_STEPS: dict[str, _NoisyStep] = {
    "euler_ancestral": _ancestral(_euler),
    "dpm_2_ancestral": _ancestral(_dpm_2),
    "dpmpp_2s_ancestral": _ancestral(_dpmpp_2s),
    "dpmpp_sde": _dpmpp_sde,
}
_WHOLE: dict[str, Callable[[Denoise, Tensor, list[float]], Tensor]] = {
    "lms": linear_multistep,
    "dpmpp_2m": dpmpp_2m,
    "dpm_fast": dpm_fast,
}

STOCHASTIC_SAMPLERS = frozenset(_NOISY_STEPS)
"""Those that add noise on their way."""
