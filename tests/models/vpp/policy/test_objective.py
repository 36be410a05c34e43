import dataclasses

import pytest
import torch

from tests.models.vpp.policy.tiny import SEEING_STATE, SHAPE, make_policy, make_policy_batch, make_state
from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.models.vpp.policy.config import ActionPartConfig, PolicyObjectiveConfig
from vidrep_pipelines.models.vpp.policy.noise_density import noise_quantiles
from vidrep_pipelines.models.vpp.policy.objective import (
    PolicyOutputs,
    PolicyRandomness,
    draw_policy_randomness,
    part_loss,
    policy_objective,
)

PLAIN = PolicyObjectiveConfig()


def _randomness(batch: int = 3) -> PolicyRandomness:
    return draw_policy_randomness(torch.arange(batch), SHAPE, "cpu")


def _outputs(
    config: PolicyObjectiveConfig = PLAIN, randomness: PolicyRandomness | None = None
) -> PolicyOutputs:
    batch = make_policy_batch()
    return policy_objective(
        make_policy(), batch.features, batch.goal, batch.actions, randomness or _randomness(), config
    )


def test_loss_is_the_weighted_error_of_the_denoised_chunk() -> None:
    found, randomness, actions = _outputs(), _randomness(), make_policy_batch().actions
    sigma = noise_quantiles(randomness.sigma_uniform, PLAIN.density).float().reshape(-1, 1, 1)
    torch.testing.assert_close(found.noisy, actions + sigma * randomness.noise)
    denoised = make_policy().denoise(found.noisy, found.sigma, found.context)
    expected = (sigma**2 + 0.25) / (sigma * 0.5) ** 2 * (denoised - actions) ** 2
    torch.testing.assert_close(found.loss, expected.mean(), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(found.losses, expected.mean(dim=(1, 2)), rtol=1e-4, atol=1e-5)
    assert found.metrics()["error"].item() == pytest.approx(found.loss.item())
    assert set(found.metrics()) == {"error", "log_sigma"}


def test_parts_have_shares_weights_and_names() -> None:
    parts = (
        ActionPartConfig(name="ends", ranges=((0, 1), (2, 3)), share=1 / 3, weight=2.0),
        ActionPartConfig(name="middle", ranges=((1, 2),), share=1 / 3),
    )
    found = _outputs(PolicyObjectiveConfig(parts=parts))
    squares = (found.output - found.target) ** 2
    ends, middle = squares[..., [0, 2]].mean(), squares[..., 1].mean()
    torch.testing.assert_close(found.loss, 2 * 2 / 3 * ends + middle / 3)
    torch.testing.assert_close(found.parts["ends"].mean() + found.parts["middle"].mean(), squares.mean())
    metrics = found.metrics()
    assert metrics["error"].item() == pytest.approx(squares.mean().item())
    assert metrics["error_middle"].item() == pytest.approx(middle.item() / 3)


def test_a_part_beyond_the_action_is_refused() -> None:
    part = ActionPartConfig(name="hand", ranges=((1, 4),), share=1.0)
    with pytest.raises(ConfigurationError, match=r"hand goes to number 4 .* has 3.*Remedy"):
        part_loss(torch.ones(2, *SHAPE), part)


def test_samples_have_their_own_randomness_whatever_the_batch() -> None:
    together = draw_policy_randomness(torch.tensor([3, 5]), SHAPE, "cpu")
    alone = draw_policy_randomness(torch.tensor([5]), SHAPE, "cpu")
    for one, both in zip(dataclasses.astuple(alone), dataclasses.astuple(together), strict=True):
        assert torch.equal(one[0], both[1]) and not torch.equal(both[0], both[1])
    assert together.sigma_uniform.dtype == torch.float64 and together.noise.shape == (2, *SHAPE)


def test_dropped_goals_are_zeros_and_change_nothing() -> None:
    config = PolicyObjectiveConfig(goal_dropout=0.1)
    randomness = dataclasses.replace(_randomness(), goal_uniform=torch.tensor([0.05, 0.1, 0.5]))
    batch, model = make_policy_batch(), make_policy()
    found = _outputs(config, randomness)
    assert found.keep.tolist() == [False, True, True]
    other = policy_objective(model, batch.features, -batch.goal, batch.actions, randomness, config)
    assert torch.equal(found.losses[0], other.losses[0]) and not torch.equal(found.losses[1], other.losses[1])
    assert _outputs(PLAIN, randomness).keep.all()


def test_every_weight_gets_a_gradient_and_steps_lower_the_loss() -> None:
    batch, state, randomness = make_policy_batch(config=SEEING_STATE), make_state(), _randomness()
    model = make_policy(SEEING_STATE)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    losses = []
    for _ in range(8):
        optimizer.zero_grad()
        loss = policy_objective(
            model, batch.features, batch.goal, batch.actions, randomness, PLAIN, state
        ).loss
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(loss.item())
    assert [name for name, value in model.named_parameters() if value.grad is None] == []
    assert losses[-1] < 0.9 * losses[0]
