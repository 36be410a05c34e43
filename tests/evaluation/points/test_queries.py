"""Which points are asked for, against loops over points and frames."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from vidrep_pipelines.evaluation.points.queries import point_queries

OCCLUDED = arrays(bool, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9))


@given(OCCLUDED)
def test_every_point_is_asked_for_in_the_first_frame_that_shows_it(occluded: np.ndarray) -> None:
    wanted = [
        (point, min(frame for frame, hidden in enumerate(row) if not hidden))
        for point, row in enumerate(occluded.tolist())
        if not all(row)
    ]
    queries = point_queries("first", occluded, 5)
    assert list(zip(queries.points.tolist(), queries.frames.tolist(), strict=True)) == wanted
    length = occluded.shape[1]
    for row, (_, start) in zip(queries.evaluated(length).tolist(), wanted, strict=True):
        assert row == [frame > start for frame in range(length)]


@given(OCCLUDED, st.integers(1, 6))
def test_a_visible_point_is_asked_for_in_every_so_many_frames(occluded: np.ndarray, stride: int) -> None:
    points, length = occluded.shape
    wanted = [
        (point, frame)
        for frame in range(0, length, stride)
        for point in range(points)
        if not occluded[point, frame]
    ]
    queries = point_queries("strided", occluded, stride)
    assert list(zip(queries.points.tolist(), queries.frames.tolist(), strict=True)) == wanted
    for row, (_, own) in zip(queries.evaluated(length).tolist(), wanted, strict=True):
        assert row == [frame != own for frame in range(length)]


def test_what_is_given_is_where_the_point_is_in_that_frame() -> None:
    points = np.arange(24.0).reshape(3, 4, 2)
    occluded = np.array([[True, False, False, False], [True] * 4, [False] * 4])
    queries = point_queries("first", occluded, 5)
    np.testing.assert_array_equal(queries.positions(points), [points[0, 1], points[2, 0]])
