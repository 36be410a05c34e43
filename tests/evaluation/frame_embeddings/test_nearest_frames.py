"""The shared search, and properties of what follows from it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vidrep_pipelines.evaluation.frame_embeddings.alignment import dynamic_time_warping
from vidrep_pipelines.evaluation.frame_embeddings.embedding_set import (
    EmbeddedVideo,
    EmbeddingSet,
    split_by_length,
)
from vidrep_pipelines.evaluation.frame_embeddings.kendall_tau import kendall_tau, tau_of
from vidrep_pipelines.evaluation.frame_embeddings.nearest_frames import find_nearest, squared_distances
from vidrep_pipelines.evaluation.frame_embeddings.retrieval import retrieval_of, retrieve_frames

LENGTHS = st.lists(st.integers(2, 12), min_size=2, max_size=4)


def random_videos(seed: int, lengths: list[int]) -> EmbeddingSet:
    generator = np.random.default_rng(seed)
    phases = generator.integers(0, 3, sum(lengths))
    return split_by_length(generator.normal(size=(sum(lengths), 4)), phases, lengths)


def moved(videos: EmbeddingSet, seed: int) -> EmbeddingSet:
    """The same embeddings, rotated, scaled and shifted."""
    generator = np.random.default_rng(seed)
    rotation, _ = np.linalg.qr(generator.normal(size=(4, 4)))
    shift = generator.normal(size=4)
    return EmbeddingSet(
        tuple(
            EmbeddedVideo(video.id, 3 * video.embeddings @ rotation + shift, video.phases)
            for video in videos.videos
        )
    )


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), LENGTHS, st.integers(1, 3))
def test_one_search_serves_tau_and_retrieval(seed: int, lengths: list[int], stride: int) -> None:
    videos = random_videos(seed, lengths)
    nearest = find_nearest(videos, stride, 1)
    np.testing.assert_array_equal(tau_of(nearest).pairs, kendall_tau(videos, stride).pairs)
    (shared,), (alone,) = retrieval_of(nearest, [1]), retrieve_frames(videos, [1], stride)
    np.testing.assert_array_equal(shared.per_video, alone.per_video)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), LENGTHS)
def test_neighbors_are_the_nearest_frames_of_other_videos(seed: int, lengths: list[int]) -> None:
    videos = random_videos(seed, lengths)
    count = min(3, sum(lengths) - max(lengths))
    nearest = find_nearest(videos, neighbors=count)
    frames, starts = videos.stacked()[0], np.cumsum([0, *lengths])
    for query, (video, closest) in enumerate(zip(videos.videos, nearest.closest, strict=True)):
        distances = squared_distances(video.embeddings, frames)
        own = range(starts[query], starts[query + 1])
        assert not set(closest.flatten().tolist()) & set(own)
        others = np.delete(distances, list(own), axis=1)
        found = np.take_along_axis(distances, closest, axis=1)
        np.testing.assert_allclose(found, np.sort(others, axis=1)[:, :count])


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), LENGTHS)
def test_bounds_and_moves(seed: int, lengths: list[int]) -> None:
    videos = random_videos(seed, lengths)
    pairs = kendall_tau(videos).pairs
    valid = pairs[~np.isnan(pairs)]
    assert ((valid >= -1 - 1e-12) & (valid <= 1 + 1e-12)).all()
    count = min(3, sum(lengths) - max(lengths))
    (found,) = retrieve_frames(videos, [count])
    assert ((found.per_video >= 0) & (found.per_video <= 1)).all()
    other = moved(videos, seed)
    np.testing.assert_allclose(kendall_tau(other).pairs, pairs, atol=1e-12)
    np.testing.assert_allclose(retrieve_frames(other, [count])[0].per_video, found.per_video)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), LENGTHS)
def test_a_reversed_query_has_the_opposite_tau(seed: int, lengths: list[int]) -> None:
    videos = random_videos(seed, lengths)
    first = videos.videos[0]
    backwards = EmbeddedVideo(first.id, first.embeddings[::-1], first.phases[::-1])
    pairs = kendall_tau(videos).pairs
    reversed_pairs = kendall_tau(EmbeddingSet((backwards, *videos.videos[1:]))).pairs
    np.testing.assert_allclose(reversed_pairs[0], -pairs[0], atol=1e-12)
    np.testing.assert_allclose(reversed_pairs[1:, 0], -pairs[1:, 0], atol=1e-12)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 9), st.integers(1, 9))
def test_warping_is_monotonous_and_symmetric(seed: int, rows: int, columns: int) -> None:
    generator = np.random.default_rng(seed)
    query, key = generator.normal(size=(rows, 3)), generator.normal(size=(columns, 3))
    warping = dynamic_time_warping(query, key)
    steps = np.diff(np.stack([warping.query, warping.key]), axis=1)
    assert ((steps >= 0) & (steps <= 1)).all()
    assert (warping.query[-1], warping.key[-1]) == (rows - 1, columns - 1)
    assert warping.distance == pytest.approx(dynamic_time_warping(key, query).distance)
    assert dynamic_time_warping(query, query).distance < 1e-9
    assert (np.diff(warping.first_match()) >= 0).all()


def test_single_frames_have_no_order() -> None:
    videos = random_videos(0, [1, 6, 1])
    result = kendall_tau(videos)
    assert np.isnan(result.pairs[[0, 2]]).all()
    assert result.dropped >= 4


def test_fewer_frames_than_neighbors_are_all_neighbors() -> None:
    nearest = find_nearest(random_videos(0, [2, 3]), neighbors=9, per_video=False)
    assert [closest.shape for closest in nearest.closest] == [(2, 3), (3, 2)]
    assert nearest.per_video == ()
