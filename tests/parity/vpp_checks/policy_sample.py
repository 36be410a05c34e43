"""``policy_sample.npz``: chunks of actions by every recorded sampler and schedule.

Their names are ``<sampler>_<schedule>``; a schedule is its short name, the number of its levels unless it is
the usual one, and its lowest level: ``exp_0.001``, ``exp4_0.001``.
"""

import re
from pathlib import Path
from typing import get_args

import torch
from torch import Tensor

from tests.parity.precision import tolerance
from tests.parity.vpp_checks.case_model import case_arrays, near
from tests.parity.vpp_checks.policy_case import case_goal, case_policy, largest_difference
from vidrep_pipelines.models.vpp.policy.config import ActionSamplingConfig, SamplerName, ScheduleName
from vidrep_pipelines.models.vpp.policy.denoiser import PolicyContext
from vidrep_pipelines.models.vpp.policy.inference import sample_chunk
from vidrep_pipelines.models.vpp.policy.model import PolicyModel
from vidrep_pipelines.models.vpp.policy.noise_schedules import policy_noise_levels

SAMPLE_TOLERANCE = 1e-4  # as the fixtures' README states it

_LEVELS = "sigmas_"
_DENOISED = "denoised_"
_INPUTS = {"former_out", "goal", "init_noise", "state_obs"}


@torch.inference_mode()
def check(folder: Path) -> None:
    """Every recorded value of the folder."""
    arrays, model = case_arrays(folder, "policy_sample"), case_policy(folder)
    context = model.denoiser.encode(arrays["former_out"], case_goal(arrays), arrays.get("state_obs"))
    for name, recorded in arrays.items():
        if name in _INPUTS:
            continue
        if name.startswith(_LEVELS):
            config = _sampling(name.removeprefix(_LEVELS), arrays)
            near(_levels(config), recorded, name)
        elif name.startswith(_DENOISED):
            config = _sampling(name.removeprefix(_DENOISED), arrays)
            _close(_denoised_on_the_way(model, context, arrays["init_noise"], config), recorded, name)
        else:
            sampler, schedule = _sampler_of(name)
            config = _sampling(schedule, arrays).model_copy(update={"sampler": sampler})
            _close(sample_chunk(model, context, arrays["init_noise"], config), recorded, name)


def _close(found: Tensor, recorded: Tensor, name: str) -> None:
    difference = largest_difference(found, recorded)
    assert difference <= tolerance(SAMPLE_TOLERANCE), f"{name} differs by {difference:.2e}"


def _sampler_of(name: str) -> tuple[str, str]:
    samplers = [sampler for sampler in get_args(SamplerName) if name.startswith(f"{sampler}_")]
    assert samplers, f"{name} is of an unknown sampler"
    sampler = max(samplers, key=len)
    return sampler, name.removeprefix(f"{sampler}_")


def _sampling(schedule: str, arrays: dict[str, Tensor]) -> ActionSamplingConfig:
    match = re.fullmatch(r"([a-z_]+?)(\d*)_([\d.e-]+)", schedule)
    assert match, f"{schedule} is no schedule"
    kinds = [kind for kind in get_args(ScheduleName) if kind.startswith(match[1])]
    assert len(kinds) == 1, f"{schedule} is of an unknown kind"
    low = float(match[3])
    recorded = next(
        levels
        for name, levels in arrays.items()
        if name.startswith(f"{_LEVELS}{match[1]}{match[2]}_") and float(name.rsplit("_", 1)[1]) == low
    )
    return ActionSamplingConfig(schedule=kinds[0], steps=len(recorded) - 1, sigma_min=low)


def _levels(config: ActionSamplingConfig) -> Tensor:
    return policy_noise_levels(config.schedule, config.steps, config.sigma_min, config.sigma_max)


def _denoised_on_the_way(
    model: PolicyModel, context: PolicyContext, noise: Tensor, config: ActionSamplingConfig
) -> Tensor:
    """What is seen behind the noise at each step of the default sampler."""
    seen: list[Tensor] = []
    denoise = model.denoise

    def watched(noisy: Tensor, sigma: Tensor, context: PolicyContext) -> Tensor:
        seen.append(denoise(noisy, sigma, context))
        return seen[-1]

    model.denoise = watched  # type: ignore[method-assign]
    try:
        sample_chunk(model, context, noise, config)
    finally:
        model.denoise = denoise  # type: ignore[method-assign]
    return torch.stack(seen)
