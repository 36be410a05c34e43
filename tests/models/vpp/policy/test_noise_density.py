"""Levels of shares against the distributions themselves, as SciPy has them."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from vidrep_pipelines.models.vpp.policy.config import NoiseDensityConfig
from vidrep_pipelines.models.vpp.policy.noise_density import noise_quantiles
from vidrep_pipelines.models.vpp.policy.noise_schedules import policy_noise_levels

LOW, HIGH = 0.001, 80.0
shares = st.floats(0.001, 0.999)
locations, scales = st.floats(-2, 1), st.floats(0.2, 2)


def _level(share: float, config: NoiseDensityConfig) -> float:
    return float(noise_quantiles(torch.tensor(share), config))


@given(shares, locations, scales)
def test_log_logistic_is_cut_to_its_bounds(share: float, location: float, scale: float) -> None:
    config = NoiseDensityConfig(location=location, scale=scale, minimum=0.01, maximum=20.0)
    law = stats.logistic(location, scale)
    below, above = law.cdf(math.log(0.01)), law.cdf(math.log(20.0))
    level = _level(share, config)
    assert 0.01 <= level <= 20.0
    inside = (law.cdf(math.log(level)) - below) / (above - below)
    assert inside == pytest.approx(np.float32(share), abs=1e-7)


@given(shares, locations, scales)
def test_log_normal(share: float, location: float, scale: float) -> None:
    level = _level(share, NoiseDensityConfig(kind="log_normal", location=location, scale=scale))
    assert stats.norm.cdf((math.log(level) - location) / scale) == pytest.approx(np.float32(share), abs=1e-7)


@given(shares, locations, scales, scales)
def test_split_log_normal_has_a_scale_on_each_side(
    share: float, location: float, below: float, above: float
) -> None:
    config = NoiseDensityConfig(kind="split_log_normal", location=location, scale=below, upper_scale=above)
    distance = math.log(_level(share, config)) - location
    left = below / (below + above)
    if distance < 0:
        cumulated = 2 * left * stats.norm.cdf(distance / below)
    else:
        cumulated = left + (1 - left) * (2 * stats.norm.cdf(distance / above) - 1)
    assert cumulated == pytest.approx(np.float32(share), abs=1e-6)


@given(shares)
def test_uniform_in_level_and_in_logarithm(share: float) -> None:
    exact = float(np.float32(share))
    level = _level(share, NoiseDensityConfig(kind="uniform"))
    assert level == pytest.approx(stats.uniform(LOW, HIGH - LOW).ppf(exact))
    level = _level(share, NoiseDensityConfig(kind="log_uniform"))
    assert level == pytest.approx(stats.loguniform(LOW, HIGH).ppf(exact))


@given(shares)
def test_angles_of_v_diffusion_are_uniform(share: float) -> None:
    angle = math.atan(_level(share, NoiseDensityConfig(kind="v_diffusion")))
    law = stats.uniform(math.atan(LOW), math.atan(HIGH) - math.atan(LOW))
    assert law.cdf(angle) == pytest.approx(np.float32(share), abs=1e-7)


def test_discrete_levels_are_those_of_the_schedule_each_as_likely() -> None:
    config = NoiseDensityConfig(kind="discrete", schedule="karras", levels=5)
    levels = noise_quantiles((torch.arange(1000) + 0.5) / 1000, config)
    values, counts = levels.unique(return_counts=True)
    expected = policy_noise_levels("karras", 5, LOW, HIGH)[:-1].flip(0).double()
    assert torch.equal(values, expected) and counts.tolist() == [200] * 5


@pytest.mark.parametrize(
    "kind",
    ["log_logistic", "log_normal", "split_log_normal", "log_uniform", "uniform", "v_diffusion", "discrete"],
)
def test_levels_are_positive_finite_and_rise_with_the_share(kind: str) -> None:
    config = NoiseDensityConfig.model_validate({"kind": kind, "levels": 7})
    share = torch.tensor([0.0, 1e-9, 0.2, 0.5, 0.9, 1 - 2**-53], dtype=torch.float64)
    levels = noise_quantiles(share, config)
    assert levels.dtype == torch.float64 and bool(levels.isfinite().all()) and bool((levels > 0).all())
    falls = kind == "discrete"  # a schedule's first level is its highest
    order = levels.flip(0) if falls else levels
    assert bool((order.diff() >= 0).all())
    if kind not in ("log_normal", "split_log_normal"):
        assert float(levels.min()) >= LOW - 1e-9 and float(levels.max()) <= HIGH + 1e-5
