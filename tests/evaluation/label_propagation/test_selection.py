import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vidrep_pipelines.evaluation.label_propagation.config import PropagationConfig
from vidrep_pipelines.evaluation.label_propagation.neighborhood import (
    blocks,
    dot_products,
    unit_features,
    window,
)
from vidrep_pipelines.evaluation.label_propagation.selection import select


def one_block(height, width, config):
    (block,) = blocks(height, width, height, config, torch.device("cpu"))
    return block


def direct(targets, frames, height, width, config, count):
    """Similarities of all pairs, sorted."""
    scores = torch.stack([targets @ frame.T for frame in frames], dim=1)
    inside = window(height, width, config.radius, config.variant)[:, None].repeat(1, len(frames), 1)
    if config.variant == "videowalk":
        inside[:, 0] = True
    scores = scores.masked_fill(~inside, float("-inf")).flatten(1)
    return scores.sort(dim=1, descending=True).values[:, :count]


@given(
    st.integers(1, 5),
    st.integers(1, 5),
    st.integers(1, 4),
    st.integers(1, 12),
    st.integers(0, 5),
    st.sampled_from(["dino", "videowalk"]),
    st.integers(0, 2**31),
)
def test_two_steps_find_what_sorting_everything_finds(height, width, frames, count, radius, variant, seed):
    generator = torch.Generator().manual_seed(seed)
    config = PropagationConfig(variant=variant, radius=radius)
    context = [unit_features(torch.randn(height * width, 4, generator=generator)) for _ in range(frames)]
    targets = unit_features(torch.randn(height * width, 4, generator=generator))
    selection, _ = select(targets, context, one_block(height, width, config), count, config)
    expected = direct(targets, context, height, width, config, count)
    expected = expected[:, : selection.similarity.shape[1]]
    assert selection.similarity.shape[1] >= min(count, int(expected.isfinite().sum(dim=1).max()))
    torch.testing.assert_close(selection.similarity, expected, atol=1e-6, rtol=0)
    stacked = torch.stack(context)[selection.position, selection.cell]
    again = torch.einsum("bd,bkd->bk", targets, stacked)
    usable = selection.similarity.isfinite()
    torch.testing.assert_close(again[usable], selection.similarity[usable], atol=1e-6, rtol=0)


def test_a_frame_that_is_there_twice_counts_twice():
    config = PropagationConfig(variant="videowalk", radius=0)
    frame = unit_features(torch.eye(6))
    selection, _ = select(frame, [frame, frame, frame], one_block(2, 3, config), 3, config)
    torch.testing.assert_close(selection.similarity, torch.ones(6, 3))
    assert selection.position.sort(dim=1).values.tolist() == [[0, 1, 2]] * 6


@pytest.mark.parametrize("variant", ["dino", "videowalk"])
def test_bfloat16_keeps_nearly_the_same_sources(variant):
    generator = torch.Generator().manual_seed(0)
    exact = PropagationConfig(variant=variant, radius=4)
    rough = exact.model_copy(update={"precision": "bf16"})
    context = [unit_features(torch.randn(60, 32, generator=generator)) for _ in range(4)]
    targets = unit_features(torch.randn(60, 32, generator=generator))
    block = one_block(6, 10, exact)
    expected, _ = select(targets, context, block, 5, exact)
    rounded = [frame.bfloat16() for frame in context]
    found, _ = select(targets, rounded, block, 5, rough)
    torch.testing.assert_close(found.similarity, expected.similarity, atol=5e-3, rtol=0)


def test_products_are_those_of_double_precision():
    generator = torch.Generator().manual_seed(0)
    left, right = torch.randn(37, 50, generator=generator), torch.randn(91, 50, generator=generator)
    expected = left.double() @ right.double().T
    torch.testing.assert_close(dot_products(left, right).double(), expected, atol=1e-4, rtol=0)
    torch.testing.assert_close(dot_products(left.double(), right.double()), expected)


def test_features_of_length_zero_stay_finite():
    assert torch.equal(unit_features(torch.zeros(2, 3)), torch.zeros(2, 3))
