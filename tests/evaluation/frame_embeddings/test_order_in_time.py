"""Kendall's tau and retrieval against the plain published way."""

import numpy as np
import pytest
from benchmarks.reference.frame_evaluation_published import published_precision, published_tau
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import kendalltau

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.evaluation.frame_embeddings.embedding_set import EmbeddingSet, split_by_length
from vidrep_pipelines.evaluation.frame_embeddings.kendall_tau import kendall_tau, tau_against_time
from vidrep_pipelines.evaluation.frame_embeddings.retrieval import retrieve_frames


def _random_set(seed: int, lengths: list[int]) -> EmbeddingSet:
    generator = np.random.default_rng(seed)
    embeddings = generator.normal(size=(sum(lengths), 4)).astype(np.float32)
    return split_by_length(embeddings, generator.integers(0, 3, sum(lengths)), lengths)


@given(st.lists(st.lists(st.integers(0, 6), min_size=7, max_size=7), min_size=1, max_size=5))
def test_tau_is_that_of_scipy(rows: list[list[int]]) -> None:
    sequences: NDArray[np.int64] = np.array(rows)
    expected = [kendalltau(np.arange(7), row).statistic for row in sequences]
    np.testing.assert_allclose(tau_against_time(sequences), expected, atol=1e-12)


@pytest.mark.parametrize("length", [256, 257, 600])
def test_tau_of_long_rows_is_that_of_all_pairs(length: int) -> None:
    generator = np.random.default_rng(length)
    drifting = np.arange(length) + generator.integers(-40, 40, length)
    rows = np.stack([drifting, generator.integers(0, 5, length), np.zeros(length, int), np.arange(length)])
    signs = np.sign(rows[:, None, :] - rows[:, :, None])[:, *np.triu_indices(length, 1)]
    with np.errstate(invalid="ignore"):
        expected = signs.sum(axis=1) / np.sqrt(signs.shape[1] * np.abs(signs).sum(axis=1))
    np.testing.assert_allclose(tau_against_time(rows), expected, atol=1e-12)
    assert np.isnan(expected[2]) and expected[3] == 1


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.lists(st.integers(4, 30), min_size=2, max_size=5), st.integers(1, 3))
def test_tau_and_precision_are_the_published_ones(seed: int, lengths: list[int], stride: int) -> None:
    videos = _random_set(seed, lengths)
    pairs = published_tau(videos.strided(stride))
    result = kendall_tau(videos, stride)
    np.testing.assert_allclose(result.pairs, pairs, atol=1e-12)
    assert result.dropped == np.isnan(pairs).sum() - len(lengths)
    least = videos.strided(stride).frames - max(-(-length // stride) for length in lengths)
    (found,) = retrieve_frames(videos, [min(2, least)], stride)
    expected = published_precision(videos.strided(stride), min(2, least))
    np.testing.assert_allclose(found.precision, expected, atol=1e-12)


def test_same_order_at_another_speed_gives_one() -> None:
    time = np.concatenate([np.linspace(0, 1, length) for length in (20, 33)])
    videos = split_by_length(np.stack([time, time**2], axis=1), np.zeros(53, dtype=int), [20, 33])
    assert kendall_tau(videos).pairs[0, 1] == pytest.approx(1.0)


def test_collapsed_embeddings_are_counted_as_dropped() -> None:
    videos = split_by_length(np.ones((12, 2)), np.zeros(12, dtype=int), [4, 4, 4])
    result = kendall_tau(videos)
    assert np.isnan(result.tau)
    assert result.dropped == 6


def test_too_few_videos_or_frames_are_refused() -> None:
    with pytest.raises(InputError, match="there are 1"):
        kendall_tau(_random_set(0, [9]))
    with pytest.raises(InputError, match=r"video_0001 can be compared with 3 frames.*5 neighbors"):
        retrieve_frames(_random_set(0, [3, 9]), [5])
