import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch.nn import functional

from vidrep_pipelines.common.arrays import Pixels
from vidrep_pipelines.data.area_resize import average_areas, resize_frame

sides = st.integers(1, 23)


def picture(height: int, width: int, seed: int = 0) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def by_definition(frame: Pixels, height: int, width: int) -> NDArray[np.float64]:
    """Overlaps of intervals, written out."""

    def overlaps(source: int, target: int) -> NDArray[np.float64]:
        share = source / target
        return np.array(
            [
                [max(0.0, min((i + 1) * share, j + 1) - max(i * share, j)) / share for j in range(source)]
                for i in range(target)
            ]
        )

    rows, columns = overlaps(frame.shape[0], height), overlaps(frame.shape[1], width)
    result: NDArray[np.float64] = np.einsum("ih,hwc,jw->ijc", rows, frame.astype(np.float64), columns)
    return result


@settings(deadline=None, max_examples=50)
@given(sides, sides, sides, sides, st.integers(0, 9))
def test_areas_are_averaged(H: int, W: int, height: int, width: int, seed: int) -> None:
    frame = picture(H, W, seed)
    difference = np.abs(average_areas(frame, height, width) - by_definition(frame, height, width))
    assert difference.max() <= 0.5 + 1e-9


@settings(deadline=None, max_examples=50)
@given(sides, sides, st.integers(0, 255))
def test_flat_pictures_stay_flat(height: int, width: int, level: int) -> None:
    frame = np.full((17, 13, 3), level, np.uint8)
    assert (average_areas(frame, height, width) == level).all()


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 9))
def test_whole_factors_are_block_means(rows: int, columns: int, seed: int) -> None:
    frame = picture(4 * rows, 4 * columns, seed)
    blocks = frame.reshape(4, rows, 4, columns, 3).mean((1, 3))
    np.testing.assert_array_equal(average_areas(frame, 4, 4), np.rint(blocks).astype(np.uint8))


def test_halves_are_rounded_to_even() -> None:
    frame = np.array([[[0, 1, 2]], [[1, 2, 3]]], np.uint8)
    np.testing.assert_array_equal(average_areas(frame, 1, 1)[0, 0], [0, 2, 2])


def test_equal_size_is_the_frame_itself() -> None:
    frame = picture(5, 7)
    assert resize_frame(frame, 5, 7) is frame


def test_more_pixels_are_interpolated_bicubically() -> None:
    frame = picture(6, 5)
    tensor = torch.from_numpy(frame).permute(2, 0, 1)[None].float()
    expected = functional.interpolate(tensor, (12, 9), mode="bicubic")[0].permute(1, 2, 0)
    enlarged = resize_frame(frame, 12, 9)
    assert enlarged.dtype == np.uint8
    np.testing.assert_array_equal(enlarged, expected.round().clamp(0, 255).numpy())


def test_large_pictures_do_not_overflow() -> None:
    frame = np.full((3000, 3000, 1), 255, np.uint8)
    assert (average_areas(frame, 2, 2) == 255).all()


def test_channels_of_a_reversed_view_are_kept() -> None:
    frame = picture(9, 9)
    np.testing.assert_array_equal(resize_frame(frame[..., ::-1], 4, 4), resize_frame(frame, 4, 4)[..., ::-1])


@pytest.mark.parametrize("size", [(1, 40), (40, 1)])
def test_thin_pictures(size: tuple[int, int]) -> None:
    frame = picture(*size)
    np.testing.assert_array_equal(resize_frame(frame, 1, 1)[0, 0], np.rint(frame.mean((0, 1))))
