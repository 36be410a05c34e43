from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.models.voc.tiny import ACTIONS, CODE, VOCABULARY, make_config
from vidrep_pipelines.models.voc import objective as module
from vidrep_pipelines.models.voc.config import TargetConfig, VocObjectiveConfig
from vidrep_pipelines.models.voc.model import VocModel
from vidrep_pipelines.models.voc.objective import OccupancyBatch, draw_targets, occupancy_objective
from vidrep_pipelines.models.voc.sampling import sample_states

B, T = 6, 4


def make_model(**config: Any) -> VocModel:
    torch.manual_seed(0)
    return VocModel(make_config(**config), torch.randn(VOCABULARY, CODE))


def make_batch(bootstrap: list[bool], *, actions: bool = False) -> OccupancyBatch:
    generator = torch.Generator().manual_seed(1)
    context, following, target = torch.randint(VOCABULARY, (3, B, T), generator=generator)
    action, target_action = torch.randn(2, B, ACTIONS, generator=generator)
    return OccupancyBatch(
        context=context,
        following=following,
        reward=torch.rand(B, generator=generator),
        target=target,
        bootstrap=torch.tensor(bootstrap),
        action=action if actions else None,
        target_action=target_action if actions else None,
    )


@pytest.fixture
def uniforms() -> Tensor:
    return torch.rand(B, T, dtype=torch.float64, generator=torch.Generator().manual_seed(2))


@pytest.fixture
def sampled_rows(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """How many contexts each call of the sampler got."""
    counts: list[int] = []

    def counting(gpt: Any, contexts: Tensor, *arguments: Any, **options: Any) -> Tensor:
        counts.append(len(contexts))
        return sample_states(gpt, contexts, *arguments, **options)

    monkeypatch.setattr(module, "sample_states", counting)
    yield counts


@pytest.mark.parametrize("actions", [False, True])
def test_only_rows_that_need_a_sample_get_one(
    actions: bool, uniforms: Tensor, sampled_rows: list[int]
) -> None:
    model = make_model(actions=actions).eval()
    chosen = [True, False, False, True, False, False]
    batch = make_batch(chosen, actions=actions)
    found = draw_targets(model.target, batch, uniforms, TargetConfig())
    assert sampled_rows == [2]
    whole = sample_states(model.target, batch.target, uniforms[:, None], action=batch.target_action)[:, 0]
    torch.testing.assert_close(found, torch.where(batch.bootstrap[:, None], whole, batch.target))
    assert torch.equal(draw_targets(model.target, make_batch([False] * B, actions=actions), uniforms,
                                    TargetConfig()), batch.target)  # fmt: skip


def test_geometric_targets_need_no_sampling(uniforms: Tensor, sampled_rows: list[int]) -> None:
    batch = make_batch([False] * B)
    found = draw_targets(make_model().target, batch, uniforms, TargetConfig(kind="geometric"))
    assert found is batch.target and sampled_rows == []


def test_dropout_in_the_target_network_is_an_option(uniforms: Tensor) -> None:
    model, batch = make_model(dropout=0.5).train(), make_batch([True] * B)
    quiet = [draw_targets(model.target, batch, uniforms, TargetConfig()) for _ in range(4)]
    assert all(torch.equal(quiet[0], other) for other in quiet[1:])
    assert model.target.training and model.gpt.training
    with torch.no_grad():
        model.target.token_embedding.weight.mul_(50)
    noisy = [draw_targets(model.target, batch, uniforms, TargetConfig(dropout=True)) for _ in range(8)]
    assert any(not torch.equal(noisy[0], other) for other in noisy[1:])


def test_the_loss_counts_what_it_is_told_to(uniforms: Tensor) -> None:
    model, batch = make_model(), make_batch([False] * B)
    everything = occupancy_objective(model, batch, uniforms, VocObjectiveConfig())
    future = occupancy_objective(model, batch, uniforms, VocObjectiveConfig(loss_on="target"))
    logits = model.gpt(torch.cat([batch.context, batch.target], dim=1))
    wanted = torch.cat([batch.context[:, 1:], batch.target], dim=1)
    likely = logits[:, :-1].log_softmax(-1).gather(2, wanted[..., None]).squeeze(2)
    torch.testing.assert_close(everything.occupancy, -likely.mean())
    torch.testing.assert_close(future.occupancy, -likely[:, -T:].mean())
    assert everything.reward is not None
    expected = (model.rewards(batch.following) - batch.reward).square().mean()
    torch.testing.assert_close(everything.reward, expected)
    torch.testing.assert_close(everything.loss, everything.occupancy + everything.reward)


def test_gradients_reach_the_trained_parts_only(uniforms: Tensor) -> None:
    model = make_model(actions=True)
    occupancy_objective(
        model, make_batch([True] * B, actions=True), uniforms, VocObjectiveConfig()
    ).loss.backward()  # type: ignore[no-untyped-call]
    without = [name for name, parameter in model.named_parameters() if parameter.grad is None]
    assert without and all(name.startswith("target.") for name in without)


def test_without_a_slow_copy_the_trained_network_supplies_the_samples(uniforms: Tensor) -> None:
    model, batch = make_model().eval(), make_batch([True] * B)
    with torch.no_grad():
        model.gpt.token_embedding.weight.normal_(std=3)
    found = occupancy_objective(model, batch, uniforms, VocObjectiveConfig(ema_decay=0)).target
    expected = sample_states(model.gpt, batch.target, uniforms[:, None])[:, 0]
    assert torch.equal(found, expected)


def test_metrics_tell_context_and_future_apart(uniforms: Tensor) -> None:
    losses = occupancy_objective(make_model(), make_batch([False] * B), uniforms, VocObjectiveConfig())
    metrics = losses.metrics()
    mean = (metrics["loss_context_tokens"] * (T - 1) + metrics["loss_target_tokens"] * T) / (2 * T - 1)
    torch.testing.assert_close(mean, metrics["loss_occupancy"])
    assert not any(value.requires_grad for value in metrics.values())
