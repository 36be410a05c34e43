from typing import get_args

import pytest
import torch

from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.models.vpp.policy.config import ScheduleName
from vidrep_pipelines.models.vpp.policy.noise_schedules import policy_noise_levels


@pytest.mark.parametrize("schedule", get_args(ScheduleName))
@pytest.mark.parametrize("steps", [1, 2, 4, 25])
def test_levels_fall_to_zero(schedule: ScheduleName, steps: int) -> None:
    levels = policy_noise_levels(schedule, steps, 0.01, 50.0)
    assert levels.shape == (steps + 1,) and levels.dtype == torch.float32
    assert levels[-1] == 0 and bool((levels.diff() < 0).all())


@pytest.mark.parametrize(
    ("schedule", "spaced"),
    [
        ("exponential", torch.log),
        ("karras", lambda levels: levels ** (1 / 7)),
        ("linear", lambda levels: levels),
    ],
)
def test_bounds_are_kept_and_what_is_even_is_even(schedule: ScheduleName, spaced: object) -> None:
    levels = policy_noise_levels(schedule, 9, 0.1, 60.0)[:-1].double()
    torch.testing.assert_close(
        levels[[0, -1]], torch.tensor([60.0, 0.1], dtype=torch.float64), rtol=1e-5, atol=0
    )
    assert callable(spaced)
    gaps = spaced(levels).diff()
    torch.testing.assert_close(gaps, gaps.mean().expand(8), rtol=1e-4, atol=1e-5)


def test_quirks_of_the_original_are_kept() -> None:
    assert float(policy_noise_levels("vp", 10, 0.001, 80.0)[0]) > 80
    assert float(policy_noise_levels("ve", 10, 0.001, 80.0)[-2]) < 0.001
    assert float(policy_noise_levels("cosine_beta", 10, 0.001, 80.0)[0]) == pytest.approx(0.999)


def test_bounds_without_a_level_between_are_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"iddpm has no noise level.*Remedy"):
        policy_noise_levels("iddpm", 3, 1.0, 1.0000001)
