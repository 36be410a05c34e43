import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from vidrep_pipelines.models.layers.vector_quantizer import (
    CodebookAverage,
    CodeDistance,
    ScalarQuantizer,
    VectorQuantizer,
    codebook_loss,
)
from vidrep_pipelines.models.shared.code_counts import code_counts, perplexity, used_share


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


SIZE, DIMENSION = 6, 3


def same(values: Tensor) -> Tensor:
    return values


def make(decay: float = 0.9, restart_below: float = 0.0) -> tuple[VectorQuantizer, CodebookAverage]:
    torch.manual_seed(0)
    quantizer = VectorQuantizer(SIZE, DIMENSION, trainable=False)
    return quantizer, CodebookAverage(SIZE, DIMENSION, decay, restart_below)


def observe(
    average: CodebookAverage, quantizer: VectorQuantizer, vectors: Tensor, priorities: Tensor | None = None
) -> Tensor:
    codes = quantizer.nearest(vectors)
    average.observe(vectors, codes, torch.rand(len(vectors)) if priorities is None else priorities)
    return codes


def test_without_memory_entries_become_the_means_of_their_vectors() -> None:
    quantizer, average = make(decay=0.0)
    before, vectors = quantizer.codebook.clone(), torch.randn(40, DIMENSION)
    codes = observe(average, quantizer, vectors)
    assert average.update(quantizer, same, same) == 0
    for code in range(SIZE):
        mine = vectors[codes == code]
        expected = mine.mean(dim=0) if len(mine) else before[code]
        torch.testing.assert_close(quantizer.codebook[code], expected)


def test_averages_follow_the_recurrence() -> None:
    quantizer, average = make(decay=0.75)
    shares, sums = torch.zeros(SIZE), torch.zeros(SIZE, DIMENSION)
    for _ in range(4):
        vectors = torch.randn(30, DIMENSION)
        one_hot = torch.nn.functional.one_hot(observe(average, quantizer, vectors), SIZE).float()
        average.update(quantizer, same, same)
        shares = 0.75 * shares + 0.25 * one_hot.mean(dim=0)
        sums = 0.75 * sums + 0.25 * one_hot.T @ vectors / len(vectors)
    torch.testing.assert_close(average.shares, shares)
    used = shares > 0
    torch.testing.assert_close(quantizer.codebook[used], sums[used] / shares[used, None])


def test_accumulated_parts_and_several_processes_equal_one_batch() -> None:
    vectors, priorities = torch.randn(24, DIMENSION), torch.rand(24)
    whole_codes, whole = make(restart_below=0.5)
    observe(whole, whole_codes, vectors, priorities)
    whole.update(whole_codes, same, same)

    parts_codes, parts = make(restart_below=0.5)
    for rows in (slice(0, 10), slice(10, 24)):
        observe(parts, parts_codes, vectors[rows], priorities[rows])
    parts.update(parts_codes, same, same)
    torch.testing.assert_close(parts_codes.codebook, whole_codes.codebook)

    ranks = [make(restart_below=0.5) for _ in range(2)]
    for (quantizer, average), rows in zip(ranks, (slice(0, 12), slice(12, 24)), strict=True):
        observe(average, quantizer, vectors[rows], priorities[rows])
    counts = torch.stack([torch.stack(average._counted).sum(dim=0) for _, average in ranks]).mean(dim=0)
    candidates = torch.cat([average._padded_candidates() for _, average in ranks])
    for quantizer, average in ranks:
        average.update(quantizer, lambda _: counts, lambda _: candidates)
        torch.testing.assert_close(quantizer.codebook, whole_codes.codebook)


def test_unused_entries_become_the_vectors_of_highest_priority() -> None:
    quantizer, average = make(restart_below=0.1)
    vectors, priorities = torch.randn(4, DIMENSION), torch.tensor([0.1, 0.9, 0.5, 0.7])
    average.observe(vectors, torch.zeros(4, dtype=torch.int64), priorities)
    assert average.update(quantizer, same, same) == 4
    torch.testing.assert_close(quantizer.codebook[1:5], vectors[[1, 3, 2, 0]])
    torch.testing.assert_close(quantizer.codebook[0], vectors.mean(dim=0))


def test_entries_that_stay_in_use_are_left_alone_and_unused_ones_are_replaced_later() -> None:
    quantizer, average = make(decay=0.5, restart_below=0.2)
    replaced = []
    for _ in range(8):
        vectors = torch.randn(20, DIMENSION)
        average.observe(vectors, torch.arange(20) % 2, torch.rand(20))
        replaced.append(average.update(quantizer, same, same))
    assert replaced[:3] == [4, 0, 0] and sum(replaced[3:]) >= 4
    assert all(count in (0, 4) for count in replaced)


def test_observations_are_dropped_after_an_update() -> None:
    quantizer, average = make(decay=0.0)
    for offset in (0.0, 5.0):
        vectors = torch.full((3, DIMENSION), offset)
        average.observe(vectors, torch.zeros(3, dtype=torch.int64), torch.rand(3))
        average.update(quantizer, same, same)
        torch.testing.assert_close(quantizer.codebook[0], vectors[0])
    with pytest.raises(RuntimeError, match="non-empty TensorList"):
        average.update(quantizer, same, same)


def test_cosine_entries_keep_length_one() -> None:
    quantizer = VectorQuantizer(SIZE, DIMENSION, "cosine", trainable=False)
    average = CodebookAverage(SIZE, DIMENSION, 0.5, 0.1)
    vectors = quantizer.prepare(torch.randn(30, DIMENSION))
    observe(average, quantizer, vectors)
    average.update(quantizer, same, same)
    torch.testing.assert_close(quantizer.codebook.norm(dim=1), torch.ones(SIZE))


LEVELS = st.lists(st.integers(2, 9), min_size=1, max_size=4)


@settings(max_examples=40, deadline=None)
@given(levels=LEVELS, seed=st.integers(0, 2**20))
def test_of_a_grid_the_nearest_entry_is_chosen(levels: list[int], seed: int) -> None:
    grid = ScalarQuantizer(levels)
    vectors = 2 * torch.randn(50, len(levels), generator=torch.Generator().manual_seed(seed))
    entries, chosen, prepared = grid(vectors)
    assert torch.equal(entries, grid.codebook[chosen]) and torch.equal(grid.lookup(chosen), entries)
    half = torch.tensor(levels) // 2  # distances in levels, of which each channel has its own
    distances = torch.cdist((prepared * half).double(), (grid.codebook * half).double())
    found = distances.gather(-1, chosen[:, None])[:, 0]
    torch.testing.assert_close(found, distances.min(dim=-1).values, rtol=1e-4, atol=1e-4)


@settings(max_examples=40, deadline=None)
@given(levels=LEVELS)
def test_every_entry_of_a_grid_can_be_reached_and_has_its_own_code(levels: list[int]) -> None:
    grid = ScalarQuantizer(levels)
    assert grid.size == math.prod(levels) == len(torch.unique(grid.codebook, dim=0))
    assert torch.equal(grid.nearest(grid.codebook), torch.arange(grid.size))
    corners = torch.cartesian_prod(*[torch.tensor([-50.0, 50.0])] * len(levels)).reshape(-1, len(levels))
    reached = grid(corners)[0]
    assert torch.equal(reached.amin(0), grid.codebook.amin(0))
    assert torch.equal(reached.amax(0), grid.codebook.amax(0))


@given(levels=LEVELS)
def test_zero_is_an_entry_of_every_grid(levels: list[int]) -> None:
    grid = ScalarQuantizer(levels)
    entries, _, prepared = grid(torch.zeros(1, len(levels)))
    torch.testing.assert_close(prepared, torch.zeros(1, len(levels)))
    assert not entries.any()


def test_the_gradient_passes_through_the_rounding_of_a_grid() -> None:
    grid = ScalarQuantizer([8, 5])
    vectors = torch.tensor([[0.3, -0.4]], requires_grad=True)
    grid(vectors)[0].sum().backward()
    through_rounding, vectors.grad = vectors.grad, None
    grid.prepare(vectors).sum().backward()
    assert through_rounding is not None and vectors.grad is not None
    torch.testing.assert_close(through_rounding, vectors.grad)
    assert not list(grid.parameters()) and "codebook" in grid.state_dict()
