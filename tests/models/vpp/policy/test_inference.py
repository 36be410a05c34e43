"""The policy at use: from a catalog folder, its chunks and seeds, and what is refused."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from tests.models.vpp.policy.tiny import (
    CONFIG,
    SEEING_STATE,
    SHAPE,
    make_policy,
    make_policy_batch,
    make_state,
)
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.models.vpp.policy.config import ActionSamplingConfig
from vidrep_pipelines.models.vpp.policy.inference import ActionPredictor, sample_chunk
from vidrep_pipelines.models.vpp.policy.noise_schedules import policy_noise_levels
from vidrep_pipelines.models.vpp.policy.samplers import sample_actions
from vidrep_pipelines.models.vpp.policy.solver_steps import denoised_at

FEW = ActionSamplingConfig(steps=3)


def _publish(folder: Path, described: object) -> Path:
    folder.mkdir()
    save_file(make_policy().state_dict(), folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(described))
    (folder / "meta.json").write_text("{}")
    return folder


def test_a_policy_comes_from_its_folder(tmp_path: Path) -> None:
    folder = _publish(tmp_path / "policy", {"model": CONFIG.model_dump(mode="json")})
    batch, predictor = make_policy_batch(), ActionPredictor.load(folder, FEW)
    actions = predictor.act(batch.features, batch.goal, [1, 2, 3])
    assert actions.shape == (3, *SHAPE) and actions.dtype == torch.float32
    assert torch.equal(
        actions, ActionPredictor(make_policy(), FEW).act(batch.features, batch.goal, [1, 2, 3])
    )
    assert ActionPredictor.load(folder).sampling == ActionSamplingConfig()
    fields = {"model": CONFIG.model_dump(mode="json"), "sampling": {"steps": 1, "sigma_max": 3.0}}
    measured = ActionPredictor.load(_publish(tmp_path / "measured", fields))
    assert measured.sampling == ActionSamplingConfig(steps=1, sigma_max=3.0)
    assert predictor.device.type == "cpu" and not predictor.model.training


@pytest.mark.parametrize("described", [{}, {"model": {"unet": {}}}])
def test_a_folder_of_something_else_is_refused(tmp_path: Path, described: object) -> None:
    with pytest.raises(InputError, match=r"(?s)no checkpoint of a policy.*Remedy"):
        ActionPredictor.load(_publish(tmp_path / "policy", described))


@pytest.mark.parametrize("sampler", ["ddim", "euler_ancestral"])
def test_a_chunk_depends_on_its_own_observation_and_seed(sampler: str) -> None:
    sampling = ActionSamplingConfig.model_validate({"steps": 3, "sampler": sampler})
    predictor, batch = ActionPredictor(make_policy(), sampling), make_policy_batch()
    together = predictor.act(batch.features, batch.goal, [1, 2, 3])
    alone = predictor.act(batch.features[1:2], batch.goal[1:2], [2])
    torch.testing.assert_close(together[1:2], alone, atol=1e-4, rtol=1e-4)
    other = predictor.act(batch.features, batch.goal, [1, 9, 3])
    assert torch.equal(other[0], together[0]) and not torch.allclose(other[1], together[1])


def test_the_state_is_seen() -> None:
    predictor, batch = ActionPredictor(make_policy(SEEING_STATE), FEW), make_policy_batch(config=SEEING_STATE)
    first, second = (
        predictor.act(batch.features, batch.goal, [1, 2, 3], sign * make_state()) for sign in (1, -1)
    )
    assert not torch.allclose(first, second, atol=1e-4)


@pytest.mark.parametrize("schedule", ["exponential", "karras"])
@torch.no_grad()
def test_reading_once_gives_what_reading_at_every_step_gives(schedule: str) -> None:
    model, batch = make_policy(), make_policy_batch()
    config = ActionSamplingConfig.model_validate({"schedule": schedule, "steps": 4})
    noise = torch.randn(3, *SHAPE, generator=torch.Generator().manual_seed(4))

    def reading_again(noisy: Tensor, sigma: Tensor) -> Tensor:
        return model.denoise(noisy, sigma, model.context(batch.features, batch.goal))

    levels = policy_noise_levels(config.schedule, config.steps, config.sigma_min, config.sigma_max)
    again = sample_actions(denoised_at(reading_again), 80 * noise, levels, config.sampler)
    once = sample_chunk(model, model.context(batch.features, batch.goal), noise, config)
    assert torch.equal(once, again)


def test_numbers_that_differ_are_refused() -> None:
    predictor, batch = ActionPredictor(make_policy(), FEW), make_policy_batch()
    with pytest.raises(InputError, match=r"3 observations, 3 goals and 2 seeds.*Remedy"):
        predictor.act(batch.features, batch.goal, [1, 2])
