import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.evaluation.robot_cloning.cloning_head import fused_history, histories, trained_heads
from vidrep_pipelines.evaluation.robot_cloning.config import CloningHeadConfig

CPU = torch.device("cpu")


@settings(max_examples=30, deadline=None)
@given(frames=st.integers(1, 7), size=st.integers(1, 3), history=st.integers(1, 4), seed=st.integers(0, 9))
def test_histories_are_changes_and_then_the_present(frames: int, size: int, history: int, seed: int) -> None:
    features = np.random.default_rng(seed).normal(size=(frames, size)).astype(np.float32)
    found = histories(features, history)
    assert found.shape == (frames, history * size)
    for now in range(frames):
        seen = [features[max(now - back, 0)] for back in range(history)]
        changes = [seen[back] - seen[back + 1] for back in reversed(range(history - 1))]
        np.testing.assert_array_equal(found[now], np.concatenate([*changes, features[now]]))


def test_three_frames_are_fused_as_published() -> None:
    first, second, third = np.array([[1.0, 0], [3, 1], [7, 5]], np.float32)
    found = fused_history(np.stack([first, second, third]))
    assert found.tolist() == [2, 1, 4, 4, 7, 5]


def steps(count: int = 200) -> tuple["np.typing.NDArray[np.float32]", "np.typing.NDArray[np.float32]"]:
    rng = np.random.default_rng(0)
    inputs = rng.normal(3, 5, (count, 4)).astype(np.float32)
    return inputs, (inputs @ rng.normal(size=(4, 2)) / 10).astype(np.float32)


def test_a_head_learns_what_can_be_learned() -> None:
    inputs, actions = steps()
    config = CloningHeadConfig(hidden=(32,), length=60, evaluate_every=20, batch_size=32)
    losses = {after: loss for after, _, loss in trained_heads(inputs, actions, config, 0, CPU)}
    assert list(losses) == [20, 40, 60]
    assert losses[60] < losses[20] < float(np.var(actions))
    assert losses[60] < 0.1 * float(np.var(actions))


def test_updates_are_counted_where_they_are_asked_for() -> None:
    inputs, actions = steps(40)
    config = CloningHeadConfig(preset="r3m", length=7, evaluate_every=3, batch_size=16)
    assert [after for after, _, _ in trained_heads(inputs, actions, config, 0, CPU)] == [3, 6, 7]


def test_equal_seeds_give_equal_heads_and_others_do_not() -> None:
    inputs, actions = steps(33)  # a last batch of one step
    config = CloningHeadConfig(hidden=(8,), length=2, evaluate_every=2, batch_size=32)

    def weights(seed: int) -> torch.Tensor:
        [(_, head, _)] = trained_heads(inputs, actions, config, seed, CPU)
        return head.action.weight.detach().clone()

    assert torch.equal(weights(1), weights(1)) and not torch.equal(weights(1), weights(2))


def test_too_few_steps_and_broken_features_are_refused() -> None:
    config = CloningHeadConfig()
    inputs, actions = steps(3)
    with pytest.raises(InputError, match="1 control steps"):
        list(trained_heads(inputs[:1], actions[:1], config, 0, CPU))
    with pytest.raises(InputError, match="finite"):
        list(trained_heads(inputs * np.nan, actions, config, 0, CPU))


def test_presets_are_the_published_values_and_give_way() -> None:
    assert CloningHeadConfig() == CloningHeadConfig(preset="cortexbench")
    assert CloningHeadConfig().kept == tuple(range(5, 101, 5))
    r3m = CloningHeadConfig(preset="r3m", batch_size=64)
    assert (r3m.hidden, r3m.history, r3m.unit, r3m.length) == ((256, 256), 1, "updates", 20_000)
    assert r3m.batch_size == 64 and len(r3m.kept) == 20
