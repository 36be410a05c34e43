import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vidrep_pipelines.data.sample_world.geometry import homography, rectangle, rotation, upright

offsets = st.lists(st.floats(-2, 2), min_size=8, max_size=8)


def _apply(coefficients: tuple[float, ...], x: float, y: float) -> tuple[float, float]:
    a, b, c, d, e, f, g, h = coefficients
    scale = g * x + h * y + 1
    return (a * x + b * y + c) / scale, (d * x + e * y + f) / scale


@given(offsets, st.integers(1, 60), st.integers(1, 60))
def test_homography_maps_corner_to_corner(shifts: list[float], width: int, height: int) -> None:
    corners = rectangle(3, 20, 17, 5) + np.array(shifts).reshape(4, 2)  # y grows downwards in pictures
    coefficients = homography(corners, width, height)
    assert coefficients is not None
    texture = [(0, 0), (width, 0), (width, height), (0, height)]
    for corner, expected in zip(corners, texture, strict=True):
        np.testing.assert_allclose(_apply(coefficients, *corner), expected, atol=1e-6)


def test_homography_keeps_straight_lines_straight() -> None:
    corners = np.array([[10.0, 10.0], [40.0, 14.0], [50.0, 44.0], [4.0, 40.0]])
    coefficients = homography(corners, 8, 8)
    assert coefficients is not None
    on_top_edge = corners[0] + 0.3 * (corners[1] - corners[0])
    assert abs(_apply(coefficients, *on_top_edge)[1]) < 1e-9


def test_a_quadrilateral_seen_edge_on_has_no_homography() -> None:
    assert homography(np.array([[0.0, 0.0], [9.0, 0.0], [9.0, 0.0], [0.0, 0.0]]), 4, 4) is None


def test_upright_turns_counter_clockwise() -> None:
    placed = upright(np.array([[1.0, 0.0]]), 2.0, 3.0, 4.0, np.pi / 2)
    np.testing.assert_allclose(placed, [[2.0, 4.0, 4.0]], atol=1e-12)


@given(st.floats(-10, 10))
def test_rotation_is_orthonormal(angle: float) -> None:
    np.testing.assert_allclose(rotation(angle) @ rotation(angle).T, np.eye(2), atol=1e-12)
