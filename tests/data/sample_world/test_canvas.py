import numpy as np
from PIL import Image

from vidrep_pipelines.data.sample_world.canvas import Canvas
from vidrep_pipelines.data.sample_world.geometry import rectangle


def _texture(red: int, coverage: int) -> Image.Image:
    share = red * coverage // 255
    return Image.frombytes("RGBa", (4, 4), bytes([share, 0, 0, coverage] * 16))


def _canvas() -> Canvas:
    return Canvas(np.full((12, 16, 3), 100, np.uint8))


def test_pixels_and_labels_are_drawn_to_the_same_place() -> None:
    canvas = _canvas()
    canvas.draw(_texture(200, 255), rectangle(3, 9, 8, 4), mask=5, part=2)
    expected = np.zeros((12, 16), bool)
    expected[4:9, 3:8] = True
    np.testing.assert_array_equal(canvas.masks == 5, expected)
    np.testing.assert_array_equal(canvas.parts == 2, expected)
    np.testing.assert_array_equal(canvas.pixels[..., 0] == 200, expected)
    assert (canvas.pixels[~expected] == 100).all()


def test_half_coverage_mixes_and_does_not_label_below_half() -> None:
    canvas = _canvas()
    canvas.draw(_texture(200, 100), rectangle(0, 12, 16, 0), mask=5)
    assert not canvas.masks.any()
    assert abs(int(canvas.pixels[6, 8, 0]) - (200 * 100 + 100 * 155) / 255) <= 1.5


def test_what_has_no_label_hides_what_has_one() -> None:
    canvas = _canvas()
    canvas.draw(_texture(200, 255), rectangle(0, 12, 16, 0), mask=5, part=1)
    canvas.draw(_texture(90, 255), rectangle(0, 12, 8, 0))
    assert not canvas.masks[:, :8].any()
    assert (canvas.parts[:, 8:] == 1).all()


def test_outside_and_edge_on_draw_nothing() -> None:
    canvas = _canvas()
    canvas.draw(_texture(200, 255), rectangle(20, 9, 28, 4), mask=5)
    canvas.draw(_texture(200, 255), rectangle(2, 5, 9, 5), mask=5)
    assert not canvas.masks.any()
    assert (canvas.pixels == 100).all()


def test_a_copy_is_independent() -> None:
    canvas = _canvas()
    canvas.copy().draw(_texture(200, 255), rectangle(0, 12, 16, 0), mask=1)
    assert not canvas.masks.any()
    assert (canvas.pixels == 100).all()
