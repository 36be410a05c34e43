import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.evaluation.label_propagation.keypoints import (
    cells_to_pixels,
    decode_joints,
    stamp_joints,
    stamp_width,
    to_grid,
)


def stamp_slowly(x, y, height, width, sigma):
    """The stamp cell by cell, from its definition."""
    channel = np.zeros((height, width))
    left, top = math.trunc(x - 3 * sigma), math.trunc(y - 3 * sigma)
    right, bottom = math.trunc(x + 3 * sigma + 1), math.trunc(y + 3 * sigma + 1)
    if left >= width or top >= height or right < 0 or bottom < 0:
        return channel
    size, center = math.ceil(6 * sigma + 1), math.floor((6 * sigma + 1) / 2)
    for b in range(size):
        for a in range(size):
            row, column = top + b, left + a
            if 0 <= row < min(bottom, height) and 0 <= column < min(right, width):
                channel[row, column] = math.exp(-((a - center) ** 2 + (b - center) ** 2) / (2 * sigma**2))
    return channel


COORDINATES = st.floats(-8, 18)


@given(COORDINATES, COORDINATES, st.integers(1, 10), st.integers(1, 10), st.floats(0.5, 2))
def test_stamps_follow_their_definition(x, y, height, width, sigma):
    maps = stamp_joints(np.array([[x], [y]]), height, width, sigma).numpy()
    np.testing.assert_allclose(maps[1], stamp_slowly(x, y, height, width, sigma), atol=1e-6)
    np.testing.assert_array_equal(maps[0], maps[1] == 0)


def test_a_joint_outside_of_the_grid_leaves_no_stamp_and_is_lost():
    maps = stamp_joints(np.array([[3.0, 40.0], [4.0, 4.0]]), 10, 10)
    assert maps[2].max() == 0
    assert decode_joints(maps)[:, 1].tolist() == [-1, -1]
    assert (decode_joints(maps)[:, 0] >= 0).all()


@given(st.integers(3, 15), st.integers(3, 15))
def test_decoding_finds_about_where_the_stamp_was(x, y):
    maps = stamp_joints(np.array([[x], [y]], dtype=float), 20, 20)
    assert np.abs(decode_joints(maps)[:, 0] - (x, y)).max() <= 1


def test_decoding_weighs_the_three_best_cells():
    soft = torch.zeros(2, 3, 4)
    soft[1, 0, 0], soft[1, 0, 2], soft[1, 2, 0], soft[1, 2, 3] = 0.5, 0.25, 0.25, 0.1
    assert decode_joints(soft)[:, 0].tolist() == [0.5, 0.5]
    assert decode_joints(torch.stack([soft, soft])).shape == (2, 2, 1)
    five = torch.zeros(2, 3, 3)
    five[1, 0], five[1, 1, :2] = 1, 1
    assert decode_joints(five, best=5)[:, 0].tolist() == pytest.approx([0.8, 0.4])


def test_grids_smaller_than_three_cells_are_decoded():
    assert decode_joints(torch.ones(2, 1, 2))[:, 0].tolist() == [0.5, 0]


def test_pixels_to_cells_and_back():
    pixels = np.array([[1.0, 320.0], [1.0, 240.0]])
    cells = to_grid(pixels, (240, 320), (20, 20))
    np.testing.assert_allclose(cells, [[0, 319 / 16], [0, 239 / 12]])
    np.testing.assert_allclose(cells_to_pixels(cells, (240, 320), (20, 20)), pixels - 1)


def test_stamps_widen_with_the_body():
    assert stamp_width(np.array([[0.0, 10], [0, 5]])) == 0.5
    assert stamp_width(np.array([[0.0, 10], [0, 100]])) == pytest.approx(1.5)


def test_a_joint_without_a_position_is_named():
    with pytest.raises(InputError, match="Joint 1"):
        stamp_joints(np.array([[1.0, np.nan], [1, 2]]), 5, 5)
