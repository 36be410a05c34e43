import pytest
import torch
from torch import Tensor

from vidrep_pipelines.models.layers.codebook_average import CodebookAverage
from vidrep_pipelines.models.layers.vector_quantizer import VectorQuantizer

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
