import pytest
import torch
from torch import Tensor

from tests.models.vpp.policy import gaussian
from vidrep_pipelines.models.vpp.policy.multistep_samplers import dpm_fast, dpmpp_2m, linear_multistep
from vidrep_pipelines.models.vpp.policy.noise_schedules import policy_noise_levels


def test_slopes_of_third_degree_are_integrated_exactly() -> None:
    levels = [5.0, 4.5, 3.6, 3.1, 2.0, 1.2]

    def denoise(noisy: Tensor, sigma: float) -> Tensor:  # a slope that depends on the level alone
        return noisy - sigma * (4 * sigma**3 - 3 * sigma**2 + 1)

    start = torch.zeros(1, 1, dtype=torch.float64)
    before = linear_multistep(denoise, start, levels[:4])
    after = linear_multistep(denoise, start, levels[:5])
    antiderivative = [sigma**4 - sigma**3 + sigma for sigma in levels]
    assert float(after - before) == pytest.approx(antiderivative[4] - antiderivative[3])


def test_the_first_step_of_two_remembers_nothing() -> None:
    start = gaussian.starts(4, 10.0)
    found = dpmpp_2m(gaussian.denoise, start, [10.0, 0.0])
    torch.testing.assert_close(found, gaussian.denoise(start, 10.0))


@pytest.mark.parametrize("calls", range(1, 9))
def test_the_fast_solver_calls_as_often_as_there_are_levels(calls: int) -> None:
    asked: list[float] = []

    def denoise(noisy: Tensor, sigma: float) -> Tensor:
        asked.append(sigma)
        return gaussian.denoise(noisy, sigma)

    dpm_fast(denoise, gaussian.starts(2, 10.0), policy_noise_levels("karras", calls, 0.1, 10.0).tolist())
    assert len(asked) == calls and asked == sorted(asked, reverse=True)


def test_the_fast_solver_ends_at_the_last_level_above_zero() -> None:
    start = gaussian.starts(5, 10.0)
    found = dpm_fast(gaussian.denoise, start, policy_noise_levels("linear", 26, 1.0, 10.0).tolist())
    torch.testing.assert_close(found, gaussian.solution(start, 10.0, 1.0), atol=1e-3, rtol=0)
