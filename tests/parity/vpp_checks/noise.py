"""``schedules.npz``: noise levels of every recorded schedule, and of uniform numbers that training draws."""

from pathlib import Path
from typing import get_args

import numpy as np
import torch

from vidrep_pipelines.models.vpp.policy.config import NoiseDensityConfig, ScheduleName
from vidrep_pipelines.models.vpp.policy.noise_density import noise_quantiles
from vidrep_pipelines.models.vpp.policy.noise_schedules import policy_noise_levels

LEVEL_TOLERANCE = 1e-5  # as the fixtures' README states it, of the largest level

_BOUNDS = {"n", "sigma_min", "sigma_max"}
_DRAWS = {"u64", "log_logistic", "log_logistic_quantiles"}


def _near(found: torch.Tensor, expected: np.ndarray, name: str) -> None:
    allowed = LEVEL_TOLERANCE * max(1.0, float(np.abs(expected).max()))
    np.testing.assert_allclose(found.double().numpy(), expected, rtol=0, atol=allowed, err_msg=name)


def check_schedules(folder: Path) -> None:
    """Every schedule, and no record that nobody knows."""
    arrays = np.load(folder / "schedules.npz")
    steps, low, high = int(arrays["n"]), float(arrays["sigma_min"]), float(arrays["sigma_max"])
    schedules = [name for name in get_args(ScheduleName) if name in arrays.files]
    assert set(arrays.files) == {*schedules, *_BOUNDS, *_DRAWS} and schedules
    for name in schedules:
        _near(policy_noise_levels(name, steps, low, high), arrays[name], name)


def check_density(folder: Path) -> None:
    """Levels of recorded numbers; quantiles of all that were drawn, of which the middle one is the median."""
    arrays = np.load(folder / "schedules.npz")
    config = NoiseDensityConfig(minimum=float(arrays["sigma_min"]), maximum=float(arrays["sigma_max"]))
    _near(noise_quantiles(torch.from_numpy(arrays["u64"]), config), arrays["log_logistic"], "log_logistic")
    quantiles = arrays["log_logistic_quantiles"]
    median = float(noise_quantiles(torch.tensor(0.5), config))
    np.testing.assert_allclose(quantiles[len(quantiles) // 2], median, rtol=0.1)
