import torch

from tests.models.vpp.policy.tiny import SEEING_STATE, SHAPE, make_policy, make_policy_batch, make_state
from vidrep_pipelines.models.vpp.policy.model import action_factors


def test_factors_are_those_of_edm() -> None:
    factors = action_factors(torch.tensor([0.5]), 0.5)
    values = [float(value) for value in (factors.c_skip, factors.c_out, factors.c_in)]
    torch.testing.assert_close(values, [0.5, 0.5 * 0.5 / 0.5**0.5, 1 / 0.5**0.5])
    assert factors.c_in.shape == (1, 1, 1)


def test_without_noise_actions_stay_and_with_much_the_network_decides() -> None:
    model, batch = make_policy(), make_policy_batch()
    context = model.context(batch.features, batch.goal)
    still = model.denoise(batch.actions, torch.full((3,), 1e-5), context)
    torch.testing.assert_close(still, batch.actions, atol=1e-3, rtol=0)
    sigma = torch.full((3,), 1e4)
    decided = model.denoise(sigma.reshape(-1, 1, 1) * torch.ones(3, *SHAPE), sigma, context)
    torch.testing.assert_close(
        decided, 0.5 * model.output(torch.full((3, *SHAPE), 1e4), sigma, context), atol=1e-3, rtol=1e-3
    )


def test_a_context_serves_all_steps_bit_for_bit() -> None:
    model, batch = make_policy(SEEING_STATE), make_policy_batch(config=SEEING_STATE)
    once = model.context(batch.features, batch.goal, make_state())
    for level in (80.0, 1.0, 0.01):
        sigma = torch.full((3,), level)
        again = model.context(batch.features, batch.goal, make_state())
        assert torch.equal(
            model.denoise(batch.actions, sigma, once), model.denoise(batch.actions, sigma, again)
        )


def test_samples_do_not_see_one_another() -> None:
    model, batch = make_policy(), make_policy_batch()
    sigma = torch.tensor([0.1, 1.0, 10.0])
    together = model.denoise(batch.actions, sigma, model.context(batch.features, batch.goal))
    alone = model.denoise(batch.actions[1:2], sigma[1:2], model.context(batch.features[1:2], batch.goal[1:2]))
    torch.testing.assert_close(together[1:2], alone)


def test_outputs_are_in_single_precision_under_autocast() -> None:
    model, batch = make_policy(), make_policy_batch()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        context = model.context(batch.features, batch.goal)
        denoised = model.denoise(batch.actions, torch.ones(3), context)
    exact = model.denoise(batch.actions, torch.ones(3), model.context(batch.features, batch.goal))
    assert denoised.dtype == torch.float32
    torch.testing.assert_close(denoised, exact, atol=0.05, rtol=0.05)


def test_units_of_sharding_hold_the_work_before_the_decoder() -> None:
    model = make_policy()
    inside = sum(value.numel() for block in model.blocks() for value in block.parameters())
    assert len(model.blocks()) == 4 and inside > 0.4 * sum(value.numel() for value in model.parameters())
