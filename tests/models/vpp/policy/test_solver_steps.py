import math

import pytest
import torch

from tests.models.vpp.policy import gaussian
from vidrep_pipelines.models.vpp.policy.solver_steps import (
    ancestral_levels,
    denoised_at,
    draws_of,
    exponential_step,
    level_between,
    slope,
    time_between,
)


def test_a_step_to_zero_is_what_is_denoised() -> None:
    noisy, denoised = torch.randn(3, 2), torch.randn(3, 2)
    torch.testing.assert_close(exponential_step(noisy, denoised, 2.0, 0.0), denoised)
    assert time_between(2.0, 0.0) == math.inf and time_between(2.0, 1.0) == pytest.approx(math.log(2))


def test_the_first_order_step_is_that_of_euler() -> None:
    noisy, denoised = torch.randn(3, 2), torch.randn(3, 2)
    euler = noisy + (0.5 - 2.0) * slope(noisy, denoised, 2.0)
    torch.testing.assert_close(exponential_step(noisy, denoised, 2.0, 0.5), euler)


def test_the_slope_is_the_derivative_of_the_solution() -> None:
    start, step = gaussian.starts(5, 2.0), 1e-6
    moved = (gaussian.solution(start, 2.0, 2.0 + step) - start) / step
    torch.testing.assert_close(slope(start, gaussian.denoise(start, 2.0), 2.0), moved, atol=1e-5, rtol=1e-5)


def test_levels_between_are_even_in_the_logarithm() -> None:
    assert level_between(8.0, 2.0) == pytest.approx(4.0)
    assert (level_between(8.0, 2.0, 0.0), level_between(8.0, 2.0, 1.0)) == (8.0, 2.0)


@pytest.mark.parametrize(("sigma", "lower"), [(2.0, 1.0), (80.0, 0.1), (1.0, 0.0)])
def test_ancestral_noise_makes_up_for_what_was_denoised_too_far(sigma: float, lower: float) -> None:
    down, up = ancestral_levels(sigma, lower)
    assert 0 <= down <= lower and math.hypot(down, up) == pytest.approx(lower)


def test_noise_depends_on_nothing_but_its_seed() -> None:
    like = torch.zeros(1)
    together, alone = draws_of([3, 5], (4, 2), like), draws_of([5], (4, 2), like)
    first, second = together(), together()
    assert first.shape == (2, 4, 2) and not torch.equal(first, second)
    assert torch.equal(first[1:], alone()) and torch.equal(second[1:], alone())


def test_one_level_is_told_for_each_sample() -> None:
    told = denoised_at(lambda noisy, sigma: noisy * sigma[:, None])
    assert torch.equal(told(torch.ones(3, 2), 0.5), torch.full((3, 2), 0.5))
