"""Which noise levels training draws: distributions, each given by its quantiles.

So one uniform number of each sample becomes its level, whatever the distribution. Computed in double
precision, as published.
"""

from math import atan, log, pi

import torch
from torch import Tensor

from vidrep_pipelines.models.vpp.policy.config import NoiseDensityConfig
from vidrep_pipelines.models.vpp.policy.noise_schedules import policy_noise_levels

_LEAST = 2.0**-60
"""Unbounded distributions get nothing closer to 0 or 1 than that, or than the nearest number below 1."""


def noise_quantiles(uniform: Tensor, config: NoiseDensityConfig) -> Tensor:
    """The noise levels of uniform numbers in [0, 1), of any shape, in double precision.

    Args:
        uniform: Shares of the distribution.
        config: The distribution. ``log_logistic``: its cut to the bounds, after MDT (arXiv 2407.05996).
            ``log_normal``: that of EDM (arXiv 2206.00364, table 1). ``split_log_normal``: with another
            deviation on each side of the mode. ``log_uniform``, ``uniform``: between the bounds.
            ``v_diffusion``: that of training with velocities at uniform angles (arXiv 2202.00512), cut to the
            bounds. ``discrete``: the levels of a schedule.
    """
    quantiles = {
        "log_logistic": _log_logistic,
        "log_normal": _log_normal,
        "split_log_normal": _split_log_normal,
        "log_uniform": _log_uniform,
        "uniform": _uniform,
        "v_diffusion": _v_diffusion,
        "discrete": _discrete,
    }
    return quantiles[config.kind](uniform.double(), config)


def _log_logistic(share: Tensor, config: NoiseDensityConfig) -> Tensor:
    bounds = torch.tensor([config.minimum, config.maximum], dtype=torch.float64, device=share.device)
    low, high = torch.sigmoid((bounds.log() - config.location) / config.scale)
    return torch.exp(torch.logit(share * (high - low) + low) * config.scale + config.location)


def _log_normal(share: Tensor, config: NoiseDensityConfig) -> Tensor:
    return torch.exp(_normal(share) * config.scale + config.location)


def _split_log_normal(share: Tensor, config: NoiseDensityConfig) -> Tensor:
    below = config.scale / (config.scale + config.upper_scale)
    left = _normal(share / (2 * below)) * config.scale
    right = -_normal((1 - share) / (2 * (1 - below))) * config.upper_scale
    return torch.exp(torch.where(share < below, left, right) + config.location)


def _log_uniform(share: Tensor, config: NoiseDensityConfig) -> Tensor:
    low, high = log(config.minimum), log(config.maximum)
    return torch.exp(share * (high - low) + low)


def _uniform(share: Tensor, config: NoiseDensityConfig) -> Tensor:
    return share * (config.maximum - config.minimum) + config.minimum


def _v_diffusion(share: Tensor, config: NoiseDensityConfig) -> Tensor:
    low, high = (atan(bound) * 2 / pi for bound in (config.minimum, config.maximum))
    return torch.tan((share * (high - low) + low) * pi / 2)


def _discrete(share: Tensor, config: NoiseDensityConfig) -> Tensor:
    levels = policy_noise_levels(config.schedule, config.levels, config.minimum, config.maximum)[:-1]
    return levels.to(share)[(share * len(levels)).long()]


def _normal(share: Tensor) -> Tensor:
    """The quantile of the standard normal distribution."""
    normal: Tensor = torch.special.ndtri(share.clamp(_LEAST, 1 - 2.0**-53))
    return normal
