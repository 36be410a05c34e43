"""Dynamic time warping against the plain double loop."""

import numpy as np
from benchmarks.reference.frame_evaluation_published import published_warping
from hypothesis import given, settings
from hypothesis import strategies as st

from vidrep_pipelines.evaluation.frame_embeddings.alignment import dynamic_time_warping, nearest_frames


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 12), st.integers(1, 12), st.booleans())
def test_warping_is_the_published_one(seed: int, rows: int, columns: int, tied: bool) -> None:
    generator = np.random.default_rng(seed)
    query, key = generator.normal(size=(rows, 3)), generator.normal(size=(columns, 3))
    if tied:
        query, key = np.round(query), np.round(key)
    warping, (accumulated, path) = dynamic_time_warping(query, key), published_warping(query, key)
    np.testing.assert_allclose(warping.accumulated, accumulated, atol=1e-9)
    if not tied or np.array_equal(warping.accumulated, accumulated):
        np.testing.assert_array_equal(np.stack([warping.query, warping.key], axis=1), path)


def test_a_slower_copy_is_aligned_frame_by_frame() -> None:
    query = np.random.default_rng(0).normal(size=(9, 4))
    warping = dynamic_time_warping(query, np.repeat(query, 3, axis=0))
    assert warping.distance < 1e-12
    np.testing.assert_array_equal(warping.first_match(), np.arange(9) * 3)
    np.testing.assert_array_equal(nearest_frames(query, np.repeat(query, 3, axis=0)), np.arange(9) * 3)
