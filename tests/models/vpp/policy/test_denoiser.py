import math

import pytest
import torch
from torch import Tensor

from tests.models.vpp.policy.tiny import (
    DENOISER,
    SEEING_STATE,
    SHAPE,
    make_policy,
    make_policy_batch,
    make_state,
)
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.models.vpp.policy.denoiser import ActionDenoiser, sigma_features

VIDEO = torch.randn(3, 6, 16, generator=torch.Generator().manual_seed(1))
SIGMA = torch.tensor([0.1, 1.0, 10.0])


def _denoiser(*, cross_causal: bool = True) -> ActionDenoiser:
    config = DENOISER.model_copy(update={"cross_causal": cross_causal})
    denoiser = ActionDenoiser(config, video_width=16).eval()
    denoiser.load_state_dict(make_policy().denoiser.state_dict())
    return denoiser


def _tokens_seen(denoiser: ActionDenoiser, action: int) -> int:
    """How many tokens of the context an action depends on, by its gradient."""
    batch = make_policy_batch()
    context = denoiser.encode(VIDEO, batch.goal)
    context.tokens.retain_grad()
    denoiser(batch.actions, SIGMA, context)[:, action].square().sum().backward()
    assert context.tokens.grad is not None
    return int((context.tokens.grad.abs().amax(dim=(0, 2)) > 0).sum())


def test_as_published_an_action_sees_as_many_tokens_as_actions() -> None:
    assert [_tokens_seen(_denoiser(), action) for action in range(4)] == [1, 2, 3, 4]


def test_each_action_sees_everything_if_it_may() -> None:
    assert [_tokens_seen(_denoiser(cross_causal=False), action) for action in range(4)] == [7, 7, 7, 7]


def test_at_pure_noise_only_an_encoding_tells_actions_apart() -> None:
    """Nothing else says which action of the chunk is asked for, unless each may look at more tokens."""
    outputs = {}
    for encoded in (False, True):
        torch.manual_seed(0)
        config = DENOISER.model_copy(update={"cross_causal": False, "action_positions": encoded})
        denoiser = ActionDenoiser(config, video_width=16).eval()
        for value in denoiser.parameters():
            value.data.add_(0.1 * torch.randn_like(value))
        same = torch.ones(3, *SHAPE)
        outputs[encoded] = denoiser(same, SIGMA, denoiser.encode(VIDEO, make_policy_batch().goal))
    assert torch.allclose(outputs[False], outputs[False][:, :1].expand(3, *SHAPE), atol=1e-5)
    assert float((outputs[True] - outputs[True][:, :1]).abs().max().detach()) > 1e-2


def test_an_action_sees_none_that_follows() -> None:
    denoiser, batch = _denoiser(cross_causal=False), make_policy_batch()
    actions = batch.actions.clone().requires_grad_()
    denoiser(actions, SIGMA, denoiser.encode(VIDEO, batch.goal))[:, 1].sum().backward()
    assert actions.grad is not None
    assert (actions.grad.abs().amax(dim=(0, 2)) > 0).tolist() == [True, True, False, False]


def test_goal_comes_first_and_the_state_last() -> None:
    denoiser, goal, state = make_policy(SEEING_STATE).denoiser, make_policy_batch().goal, make_state()
    tokens = denoiser.encode(VIDEO, goal, state).tokens
    assert tokens.shape == (3, 1 + 6 + 1, 16)
    # An encoder without positions: the same tokens in another order.
    swapped = denoiser.encode(VIDEO.flip(1), goal, state).tokens
    torch.testing.assert_close(swapped[:, [0, 7]], tokens[:, [0, 7]])
    torch.testing.assert_close(swapped[:, 1:7], tokens[:, 1:7].flip(1))
    assert not torch.allclose(denoiser.encode(VIDEO, goal, -state).tokens, tokens, atol=1e-3)


def test_output_depends_on_goal_video_actions_and_level() -> None:
    denoiser, batch = _denoiser(), make_policy_batch()

    def output(goal: Tensor, video: Tensor, actions: Tensor, sigma: Tensor) -> Tensor:
        result: Tensor = denoiser(actions, sigma, denoiser.encode(video, goal))
        return result

    plain = output(batch.goal, VIDEO, batch.actions, SIGMA)
    assert plain.shape == (3, *SHAPE)
    for other in (
        output(-batch.goal, VIDEO, batch.actions, SIGMA),
        output(batch.goal, -VIDEO, batch.actions, SIGMA),
        output(batch.goal, VIDEO, -batch.actions, SIGMA),
        output(batch.goal, VIDEO, batch.actions, 2 * SIGMA),
    ):
        assert float((other - plain).abs().max()) > 1e-4


def test_levels_are_told_by_sines_of_a_quarter_of_their_logarithm() -> None:
    features = sigma_features(torch.tensor([math.e**2]), 4)
    expected = [math.sin(0.5), math.sin(0.5e-4), math.cos(0.5), math.cos(0.5e-4)]
    torch.testing.assert_close(features, torch.tensor([expected]), atol=1e-6, rtol=1e-5)


def test_dropout_acts_in_training_only() -> None:
    denoiser, batch = _denoiser(), make_policy_batch()

    def output() -> Tensor:
        result: Tensor = denoiser(batch.actions, SIGMA, denoiser.encode(VIDEO, batch.goal))
        return result

    assert torch.equal(output(), output())
    denoiser.train()
    assert not torch.equal(output(), output())


def test_a_frozen_state_is_seen_and_not_learned() -> None:
    config = SEEING_STATE.denoiser.model_copy(update={"freeze_proprioception": True})
    denoiser = ActionDenoiser(config, video_width=16)
    frozen = {name for name, value in denoiser.named_parameters() if not value.requires_grad}
    assert len(frozen) == 4 and all(name.startswith("state_embedding.") for name in frozen)
    first, second = (
        denoiser.encode(VIDEO, make_policy_batch().goal, sign * make_state()) for sign in (1, -1)
    )
    assert not torch.equal(first.tokens, second.tokens)


def test_weights_are_small_at_first_and_biases_zero() -> None:
    denoiser = ActionDenoiser(DENOISER.model_copy(update={"width": 64}), video_width=16)
    state = denoiser.state_dict()
    weights = torch.cat([value.flatten() for value in state.values() if value.ndim == 2])
    assert float(weights.std()) == pytest.approx(0.02, rel=0.02)
    assert all(not value.any() for name, value in state.items() if name.endswith("bias"))


def test_missing_and_strange_inputs_are_refused() -> None:
    goal, state = make_policy_batch().goal, make_state()
    plain, seeing = make_policy().denoiser, make_policy(SEEING_STATE).denoiser
    with pytest.raises(InputError, match=r"Goals are \(3, 1, 4\).*\(B, 1, 5\).*Remedy"):
        plain.encode(VIDEO, goal[..., :4])
    with pytest.raises(InputError, match=r"does not see the robot's state.*Remedy"):
        plain.encode(VIDEO, goal, state)
    with pytest.raises(InputError, match=r"none is given.*Remedy.*6\) numbers"):
        seeing.encode(VIDEO, goal)
    with pytest.raises(InputError, match=r"States are \(3, 1, 2\).*Remedy"):
        seeing.encode(VIDEO, goal, state[..., :2])
