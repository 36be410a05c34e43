"""All samplers on data of which everything is known."""

from typing import get_args

import pytest
import torch
from torch import Tensor

from tests.models.vpp.policy import gaussian
from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.models.vpp.policy.config import SamplerName
from vidrep_pipelines.models.vpp.policy.noise_schedules import policy_noise_levels
from vidrep_pipelines.models.vpp.policy.samplers import STOCHASTIC_SAMPLERS, sample_actions
from vidrep_pipelines.models.vpp.policy.solver_steps import DrawNoise

HIGH, LOW = 80.0, 1e-3
DETERMINISTIC = [name for name in get_args(SamplerName) if name not in STOCHASTIC_SAMPLERS]
FIRST_ORDER = {"ddim", "euler"}


def _levels(steps: int) -> Tensor:
    return policy_noise_levels("exponential", steps, LOW, HIGH)


def _noise(rows: int, seed: int) -> DrawNoise:
    generator = torch.Generator().manual_seed(seed)
    return lambda: torch.randn(rows, 1, generator=generator, dtype=torch.float64)


def _error(sampler: SamplerName, steps: int) -> float:
    start = gaussian.starts(20, HIGH)
    found = sample_actions(gaussian.denoise, start, _levels(steps), sampler)
    return float((found - gaussian.solution(start, HIGH)).abs().max())


@pytest.mark.parametrize("sampler", DETERMINISTIC)
def test_many_steps_lead_where_the_equation_leads(sampler: SamplerName) -> None:
    assert _error(sampler, 240) < (0.05 if sampler in FIRST_ORDER else 2e-3)


@pytest.mark.parametrize("sampler", DETERMINISTIC)
def test_errors_fall_as_the_order_says(sampler: SamplerName) -> None:
    halved = _error(sampler, 30) / _error(sampler, 60)
    assert halved > (1.6 if sampler in FIRST_ORDER else 2.8)


@pytest.mark.parametrize("sampler", sorted(STOCHASTIC_SAMPLERS))
def test_samples_with_noise_are_distributed_like_the_data(sampler: SamplerName) -> None:
    start = gaussian.starts(4000, HIGH)
    samples = sample_actions(gaussian.denoise, start, _levels(120), sampler, _noise(4000, seed=1))
    assert float(samples.mean()) == pytest.approx(gaussian.MEAN, abs=0.04)
    assert float(samples.std()) == pytest.approx(gaussian.DEVIATION, rel=0.06)
    spread = (samples - gaussian.solution(start, HIGH)).std()
    assert float(spread) > 0.1  # the noise on the way matters


@pytest.mark.parametrize("sampler", get_args(SamplerName))
@pytest.mark.parametrize("steps", [1, 2, 3, 4])
def test_few_steps_are_finite_and_repeatable(sampler: SamplerName, steps: int) -> None:
    start = gaussian.starts(6, HIGH)
    first, second, other = (
        sample_actions(gaussian.denoise, start, _levels(steps), sampler, _noise(6, seed))
        for seed in (1, 1, 2)
    )
    assert first.shape == start.shape and bool(first.isfinite().all()) and torch.equal(first, second)
    assert torch.equal(first, other) == (sampler not in STOCHASTIC_SAMPLERS or steps == 1)


def test_euler_and_ddim_are_the_same_thing() -> None:
    start = gaussian.starts(6, HIGH)
    euler, ddim = (sample_actions(gaussian.denoise, start, _levels(10), name) for name in ("euler", "ddim"))
    torch.testing.assert_close(euler, ddim)


def test_levels_that_do_not_fall_and_missing_noise_are_refused() -> None:
    start = gaussian.starts(2, HIGH)
    for levels in ([1.0, 1.0, 0.0], [1.0, 0.5], [0.0]):
        with pytest.raises(ConfigurationError, match=r"must fall to zero.*Remedy"):
            sample_actions(gaussian.denoise, start, torch.tensor(levels), "ddim")
    with pytest.raises(ConfigurationError, match=r"euler_ancestral adds noise.*Remedy"):
        sample_actions(gaussian.denoise, start, _levels(3), "euler_ancestral")
