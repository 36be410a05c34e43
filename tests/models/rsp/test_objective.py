import dataclasses

import pytest
import torch
from torch import Tensor

from tests.models.rsp.tiny import (
    CONFIG,
    OBJECTIVE,
    make_equal_randomness,
    make_frames,
    make_model,
    make_published,
    make_randomness,
)
from vidrep_pipelines.models.rsp.checkpoint_io import our_name
from vidrep_pipelines.models.rsp.config import RspModelConfig
from vidrep_pipelines.models.rsp.model import RspModel
from vidrep_pipelines.models.rsp.objective import (
    RspOutputs,
    RspRandomness,
    draw_randomness,
    rsp_objective,
    with_free_bits,
)

CONTINUOUS = RspModelConfig.model_validate({**CONFIG.model_dump(), "latent": "continuous"})


def backward(model: RspModel, outputs: RspOutputs) -> dict[str, Tensor]:
    model.zero_grad()
    outputs.loss.backward()  # type: ignore[no-untyped-call]
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("seed", [0, 1])
def test_savings_are_exact(seed: int) -> None:
    model, (source, target) = make_model(seed=seed), make_frames(seed=seed)
    randomness, noise = make_equal_randomness(3, seed)
    outputs = rsp_objective(model, source, target, randomness, OBJECTIVE)
    gradients = backward(model, outputs)
    reference = make_published(model)
    expected = reference(source, target, noise)
    expected["loss"].backward()
    for ours, theirs in (
        (outputs.loss, "loss"),
        (outputs.prior_loss, "loss_prior"),
        (outputs.masked_prediction, "pred_mae"),
        (outputs.posterior_prediction, "pred_post"),
    ):
        torch.testing.assert_close(ours, expected[theirs], rtol=1e-5, atol=2e-6)
    for name, parameter in reference.named_parameters():
        if parameter.requires_grad:
            torch.testing.assert_close(gradients[our_name(name)], parameter.grad, rtol=1e-4, atol=2e-6)


def test_prior_decode_changes_no_gradient() -> None:
    model, (source, target), randomness = make_model(), make_frames(), make_randomness()
    with_prior = rsp_objective(model, source, target, randomness, OBJECTIVE, decode_prior=True)
    gradients = backward(model, with_prior)
    without = rsp_objective(model, source, target, randomness, OBJECTIVE, decode_prior=False)
    assert without.prior_loss is None and without.prior_prediction is None
    assert "loss_prior" in with_prior.metrics() and "loss_prior" not in without.metrics()
    assert torch.equal(with_prior.loss, without.loss)
    for name, gradient in backward(model, without).items():
        assert torch.equal(gradient, gradients[name]), name


def test_prior_decode_under_autocast_leaves_the_gradients_alone() -> None:
    model, (source, target), randomness = make_model(), make_frames(), make_randomness()
    gradients = []
    for decode_prior in (True, False):
        with torch.autocast("cpu", torch.bfloat16):
            outputs = rsp_objective(model, source, target, randomness, OBJECTIVE, decode_prior=decode_prior)
        gradients.append(backward(model, outputs))
    assert gradients[0].keys() == dict(model.named_parameters()).keys()
    for name, gradient in gradients[0].items():
        assert torch.equal(gradient, gradients[1][name]), name


def test_half_precision_stays_close_and_losses_are_float32() -> None:
    model, (source, target), randomness = make_model(), make_frames(), make_randomness()
    exact = rsp_objective(model, source, target, randomness, OBJECTIVE)
    with torch.autocast("cpu", torch.bfloat16):
        rough = rsp_objective(model, source, target, randomness, OBJECTIVE)
    for name, value in rough.metrics().items():
        assert value.dtype == torch.float32
        torch.testing.assert_close(value, exact.metrics()[name], rtol=0.05, atol=0.02)


def test_kl_under_the_free_bits_gives_exactly_no_gradient() -> None:
    model, (source, target), randomness = make_model(), make_frames(), make_randomness()
    config = OBJECTIVE.model_copy(update={"kl_free_bits": 1e6})
    outputs = rsp_objective(model, source, target, randomness, config)
    gradients = backward(model, outputs)
    assert outputs.kl_loss == 1e6
    priors = [name for name in gradients if name.startswith("to_prior")]
    assert priors and not any(gradients[name].any() for name in priors)
    free = rsp_objective(
        model, source, target, randomness, OBJECTIVE.model_copy(update={"kl_free_bits": 0.0})
    )
    freed = backward(model, free)
    assert all(freed[name].any() for name in priors)


@pytest.mark.parametrize(("mean", "open_gate"), [(0.05, False), (0.2, True)])
def test_the_gate_follows_the_mean_of_all_ranks(mean: float, open_gate: bool) -> None:
    kl = torch.tensor(0.1, requires_grad=True)
    value = with_free_bits(kl, 0.1, lambda local: torch.full_like(local, mean))
    value.backward()  # type: ignore[no-untyped-call]
    assert kl.grad == (1.0 if open_gate else 0.0)
    assert float(value.detach()) == pytest.approx(0.1)


def test_every_pass_decides_for_itself_as_published() -> None:
    """Of two accumulated passes, one above the free bits and one below, the one below gives no gradient."""
    model, (source, target), randomness = make_model(), make_frames(), make_randomness()
    parts = [slice(0, 1), slice(1, None)]

    def of(rows: slice, free_bits: float) -> RspOutputs:
        own = RspRandomness(
            *(getattr(randomness, field.name)[rows] for field in dataclasses.fields(randomness))
        )
        config = OBJECTIVE.model_copy(update={"kl_free_bits": free_bits})
        return rsp_objective(model, source[rows], target[rows], own, config)

    low, high = sorted(float(of(rows, 0.0).kl.detach()) for rows in parts)
    whole = float(of(slice(None), 0.0).kl.detach())
    assert low < whole < high
    between = (low + whole) / 2  # the whole batch together is above it
    gradients = [backward(model, of(rows, between)) for rows in (*parts, slice(None))]
    priors = [name for name in gradients[0] if name.startswith("to_prior")]
    opened = [any(bool(gradient[name].any()) for name in priors) for gradient in gradients]
    assert sorted(opened[:2]) == [False, True] and opened[2]


def test_balance_shares_the_gradient() -> None:
    model, (source, target), randomness = make_model(), make_frames(), make_randomness()
    norms = {}
    for balance in (0.0, 0.25, 1.0):
        config = OBJECTIVE.model_copy(update={"kl_balance": balance, "kl_free_bits": 0.0})
        outputs = rsp_objective(model, source, target, randomness, config)
        gradients = backward(model, outputs)
        norms[balance] = gradients["to_prior.2.bias"].norm()
    assert norms[1.0] == 0
    torch.testing.assert_close(norms[0.25], 0.75 * norms[0.0])


def test_every_parameter_receives_a_gradient() -> None:
    for config in (CONFIG, CONTINUOUS):
        model, (source, target) = make_model(config), make_frames()
        outputs = rsp_objective(model, source, target, make_randomness(config=config), OBJECTIVE)
        gradients = backward(model, outputs)
        assert gradients.keys() == dict(model.named_parameters()).keys()
        assert all(gradient.isfinite().all() for gradient in gradients.values())


def test_continuous_latent_moves_the_posterior_through_the_prediction() -> None:
    model, (source, target) = make_model(CONTINUOUS), make_frames()
    config = OBJECTIVE.model_copy(update={"kl_free_bits": 1e6})
    outputs = rsp_objective(model, source, target, make_randomness(config=CONTINUOUS), config)
    gradients = backward(model, outputs)
    assert outputs.posterior.shape == (3, 8)
    assert gradients["to_posterior.2.weight"].any()
    assert not gradients["to_prior.2.weight"].any()


def test_randomness_does_not_depend_on_the_batch() -> None:
    whole = draw_randomness(torch.tensor([5, 6, 7]), CONFIG, "cpu")
    parts = [draw_randomness(torch.tensor(seeds), CONFIG, "cpu") for seeds in ([5], [6, 7])]
    for field in dataclasses.fields(whole):
        joined = torch.cat([getattr(part, field.name) for part in parts])
        assert torch.equal(getattr(whole, field.name), joined)
    assert not torch.equal(whole.posterior_noise, whole.prior_noise)


def test_loss_of_a_batch_is_the_mean_over_its_parts() -> None:
    model, (source, target) = make_model(), make_frames(4)
    config = OBJECTIVE.model_copy(update={"kl_free_bits": 0.0})
    whole = rsp_objective(model, source, target, make_randomness(4), config)
    halves = [
        rsp_objective(
            model, source[part], target[part], draw_randomness(torch.arange(4)[part], CONFIG, "cpu"), config
        ).loss
        for part in (slice(0, 2), slice(2, 4))
    ]
    torch.testing.assert_close(whole.loss, torch.stack(halves).mean(), rtol=1e-5, atol=1e-6)


def test_a_few_steps_reduce_the_loss() -> None:
    model, (source, target), randomness = make_model(), make_frames(), make_randomness()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    losses = []
    for _ in range(12):
        outputs = rsp_objective(model, source, target, randomness, OBJECTIVE, decode_prior=False)
        backward(model, outputs)
        optimizer.step()
        losses.append(float(outputs.loss.detach()))
    assert losses[-1] < 0.95 * losses[0]
