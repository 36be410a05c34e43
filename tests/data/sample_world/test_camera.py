import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidrep_pipelines.data.sample_world.camera import CameraPath, Viewpoint


@given(st.integers(0, 2**31), st.floats(0, 20))
def test_axes_are_orthonormal_and_look_into_the_scene(seed: int, seconds: float) -> None:
    camera = CameraPath(seed, 320, 240).at(seconds)
    np.testing.assert_allclose(camera.axes @ camera.axes.T, np.eye(3), atol=1e-9)
    x, y = camera.project(np.array([[0.0, 0.62, 0.0]]))[0]
    assert 60 < x < 260
    assert 60 < y < 180


def test_nearer_things_move_more_across_the_picture() -> None:
    path = CameraPath(3, 320, 240)
    points = np.array([[0.0, 0.3, 6.0], [0.0, 0.3, -1.0]])
    tracks = np.stack([path.at(seconds).project(points) for seconds in np.linspace(0, 8, 60)])
    shift = tracks - path.at(0.0).project(np.array([[0.0, 0.3, 0.0]]))
    relative = np.ptp(shift[:, :, 0], axis=0)
    assert abs(tracks[:, 0, 0] - tracks[:, 1, 0]).std() > 1.0
    assert relative.min() > 0.5


def test_up_is_up() -> None:
    camera = CameraPath(0, 64, 48).at(1.0)
    low, high = camera.project(np.array([[0.0, 0.0, 0.0], [0.0, 1.0, 0.0]]))
    assert high[1] < low[1]


def test_mirrored_world_exchanges_left_and_right() -> None:
    point = np.array([[0.7, 0.2, 0.1]])
    plain = CameraPath(5, 64, 48, mirrored=False).at(1.0)
    mirrored = CameraPath(5, 64, 48, mirrored=True).at(1.0)
    np.testing.assert_allclose(mirrored.project(point), plain.project(point * (-1, 1, 1)))
    assert mirrored.viewpoint[0] == pytest.approx(-plain.viewpoint[0])


def test_size_scales_the_picture() -> None:
    points = np.array([[0.5, 0.2, 0.4], [-0.8, 1.0, 0.0]])
    small, large = (CameraPath(7, 64 * k, 48 * k).at(2.0).project(points) for k in (1, 3))
    np.testing.assert_allclose(3 * small, large)


def test_a_tripod_stands_still_where_it_is_put() -> None:
    viewpoint = Viewpoint(position=(2.0, 2.0, -3.0), aim=(0.2, 0.4, 0.0), distance=4.0, width=2.0)
    path = CameraPath(7, 64, 48, viewpoint=viewpoint, strength=0.0)
    for seconds in (0.0, 3.0):
        camera = path.at(seconds)
        np.testing.assert_array_equal(camera.position, viewpoint.position)
        np.testing.assert_allclose(camera.project(np.array([viewpoint.aim])), [[32, 24]], atol=1e-9)
    assert viewpoint.mirrored().position == (-2.0, 2.0, -3.0)
    assert viewpoint.mirrored().mirrored() == viewpoint
