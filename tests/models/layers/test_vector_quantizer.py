import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from vidrep_pipelines.models.layers.vector_quantizer import (
    CodeDistance,
    VectorQuantizer,
    code_counts,
    codebook_loss,
    perplexity,
    used_share,
)


def quantizer(
    size: int, dimension: int, distance: CodeDistance = "euclidean", seed: int = 0
) -> VectorQuantizer:
    torch.manual_seed(seed)
    made = VectorQuantizer(size, dimension, distance)
    with torch.no_grad():
        made.codebook.normal_()
    return made


@settings(max_examples=40, deadline=None)
@given(
    size=st.integers(2, 40),
    dimension=st.integers(1, 12),
    seed=st.integers(0, 2**20),
    distance=st.sampled_from(["euclidean", "cosine"]),
)
def test_the_nearest_entry_is_chosen(size: int, dimension: int, seed: int, distance: CodeDistance) -> None:
    codes = quantizer(size, dimension, distance, seed)
    vectors = torch.randn(3, 5, dimension)
    entries, chosen, prepared = codes(vectors)
    distances = torch.cdist(
        prepared.double(), codes.entries().double(), compute_mode="donot_use_mm_for_euclid_dist"
    )
    found = distances.gather(-1, chosen[..., None])[..., 0]
    torch.testing.assert_close(found, distances.min(dim=-1).values, rtol=1e-4, atol=1e-4)
    assert torch.equal(entries, codes.entries()[chosen])


@settings(max_examples=20, deadline=None)
@given(copies=st.integers(2, 5), position=st.integers(0, 3))
def test_of_equal_entries_the_first_is_chosen(copies: int, position: int) -> None:
    codes = quantizer(8, 4)
    with torch.no_grad():
        codes.codebook[position : position + copies] = 0.5
    assert codes.nearest(torch.full((1, 4), 0.5)).item() == position


def test_the_codebook_starts_uniform_and_small() -> None:
    torch.manual_seed(0)
    codebook = VectorQuantizer(64, 100).codebook
    assert codebook.abs().max() <= 1 / 64
    assert codebook.std().item() == pytest.approx(2 / 64 / math.sqrt(12), rel=0.05)


def test_the_gradient_passes_to_the_vectors_unchanged() -> None:
    codes = quantizer(8, 4)
    vectors = torch.randn(6, 4, requires_grad=True)
    weights = torch.randn(6, 4)
    (codes(vectors)[0] * weights).sum().backward()
    assert vectors.grad is not None and torch.equal(vectors.grad, weights)
    assert codes.codebook.grad is None


def test_cosine_codes_ignore_lengths() -> None:
    codes = quantizer(8, 4, "cosine")
    vectors = torch.randn(6, 4)
    entries, chosen, _ = codes(vectors)
    assert torch.equal(chosen, codes(vectors * torch.rand(6, 1).add(0.1))[1])
    torch.testing.assert_close(entries.norm(dim=-1), torch.ones(6))


def test_a_codebook_that_is_not_trained_is_a_buffer() -> None:
    codes = VectorQuantizer(8, 4, trainable=False)
    assert not list(codes.parameters()) and "codebook" in codes.state_dict()


def test_more_rows_than_fit_at_once_give_the_same_codes() -> None:
    codes = quantizer(4, 2)
    vectors = torch.randn(70_000, 2)
    parts = torch.cat([codes.nearest(part) for part in vectors.chunk(7)])
    assert torch.equal(codes.nearest(vectors), parts)


def test_autocast_does_not_change_the_codes() -> None:
    codes = quantizer(64, 16)
    vectors = torch.randn(200, 16)
    with torch.autocast("cpu", torch.bfloat16):
        entries, chosen, _ = codes(vectors)
    assert torch.equal(chosen, codes.nearest(vectors)) and entries.dtype == torch.float32


def gradients(commitment: float, codebook: float) -> tuple[Tensor, Tensor]:
    vectors = torch.tensor([[1.0, 2.0]], requires_grad=True)
    entries = torch.tensor([[0.0, 0.0]], requires_grad=True)
    codebook_loss(vectors, entries, commitment_weight=commitment, codebook_weight=codebook).backward()
    assert vectors.grad is not None and entries.grad is not None
    return vectors.grad, entries.grad


def test_each_weight_of_the_loss_moves_its_side_only() -> None:
    assert gradients(0.5, 0.0)[0].tolist() == [[0.5, 1.0]] and not gradients(0.5, 0.0)[1].any()
    assert gradients(0.0, 0.5)[1].tolist() == [[-0.5, -1.0]] and not gradients(0.0, 0.5)[0].any()


def test_use_of_the_codes() -> None:
    even = code_counts(torch.tensor([[0, 1], [2, 3]]), 4)
    assert (perplexity(even).item(), used_share(even).item()) == (pytest.approx(4), 1.0)
    single = code_counts(torch.tensor([2, 2, 2]), 4)
    assert (perplexity(single).item(), used_share(single).item()) == (pytest.approx(1), 0.25)
    shares = torch.tensor([0.5, 0.25, 0.25, 0])
    expected = math.exp(-sum(p * math.log(p) for p in (0.5, 0.25, 0.25)))
    assert perplexity(shares * 8).item() == pytest.approx(expected)


def test_lookup_gives_what_was_decoded_from() -> None:
    codes = quantizer(16, 4, "cosine")
    entries, chosen, _ = codes(torch.randn(5, 4))
    assert torch.equal(codes.lookup(chosen), entries)
    assert torch.equal(codes.lookup(chosen), F.normalize(codes.codebook[chosen], dim=-1))
