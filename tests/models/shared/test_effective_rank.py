"""RankMe against the singular values themselves, and where the rank is known."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vidrep_pipelines.models.shared.effective_rank import FeatureRank, rank_of_outputs


def rank_of(*parts: torch.Tensor) -> float:
    rank = FeatureRank()
    for part in parts:
        rank.add(part)
    return rank.value()


@given(st.integers(1, 20), st.integers(1, 8), st.integers(0, 500))
def test_it_is_that_of_the_singular_values(count: int, dimension: int, seed: int) -> None:
    features = np.random.default_rng(seed).normal(size=(count, dimension))
    values = np.linalg.svd(features, compute_uv=False)
    shares = np.concatenate([values / values.sum(), np.zeros(max(0, dimension - count))]) + 1e-7
    wanted = math.exp(-(shares * np.log(shares)).sum())
    both = torch.from_numpy(features)
    assert rank_of(both) == pytest.approx(wanted, rel=1e-4)
    assert rank_of(both[: count // 2], both[count // 2 :]) == pytest.approx(wanted, rel=1e-4)
    assert rank_of(1000 * both.float()) == pytest.approx(wanted, rel=1e-3)


@pytest.mark.parametrize("directions", [1, 3, 6])
def test_equal_directions_are_counted(directions: int) -> None:
    features = torch.eye(6)[:directions].repeat(5, 1)
    assert rank_of(features.reshape(5, directions, 6)) == pytest.approx(directions, rel=1e-4)


def test_without_features_there_is_no_rank() -> None:
    assert math.isnan(FeatureRank().value())
    assert rank_of(torch.zeros(4, 3)) == pytest.approx(1.0, abs=1e-3)


def test_what_a_module_returns_is_looked_at_inside_of_the_block_only() -> None:
    module = torch.nn.Identity()
    with rank_of_outputs(module, lambda _, returned: returned[:, 1:]) as rank:
        module(torch.eye(4)[None])
    module(torch.eye(4)[None])  # nobody looks
    assert rank.value() == pytest.approx(3, rel=1e-4)
    with pytest.raises(RuntimeError), rank_of_outputs(module, lambda _, returned: returned):
        raise RuntimeError
    assert not module._forward_hooks
