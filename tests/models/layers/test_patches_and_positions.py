import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vidrep_pipelines.models.layers.tokens import (
    denormalize_patches,
    normalize_patches,
    patchify,
    sine_cosine_positions,
    unpatchify,
)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 3), st.integers(1, 4), st.integers(1, 5), st.integers(1, 6))
def test_unpatchify_undoes_patchify(batch: int, channels: int, grid: int, size: int) -> None:
    images = torch.randn(batch, channels, grid * size, grid * size)
    patches = patchify(images, size)
    assert patches.shape == (batch, grid**2, size**2 * channels)
    assert torch.equal(unpatchify(patches, size, channels), images)


def test_patches_run_along_rows_and_channels_are_fastest() -> None:
    images = torch.zeros(1, 3, 4, 6)
    images[0, 1, 0, 5] = 1.0  # row 0, column 5: third patch of the first row, offset (0, 1)
    assert patchify(images, 2)[0, 2].nonzero().tolist() == [[1 * 3 + 1]]


def test_normalized_patches_have_zero_mean_and_unit_variance() -> None:
    patches = torch.randn(2, 5, 48) * 7 + 3
    normalized = normalize_patches(patches)
    torch.testing.assert_close(normalized.mean(-1), torch.zeros(2, 5), rtol=0, atol=1e-5)
    torch.testing.assert_close(normalized.var(-1, correction=1), torch.ones(2, 5))
    torch.testing.assert_close(denormalize_patches(normalized, patches), patches)


def test_flat_patches_stay_finite() -> None:
    assert normalize_patches(torch.full((1, 1, 12), 0.3)).abs().max() < 1e-3


@pytest.mark.parametrize(("dimension", "grid"), [(8, 3), (384, 14), (4, 1)])
def test_positions_follow_the_formula(dimension: int, grid: int) -> None:
    table = sine_cosine_positions(dimension, grid)
    assert table.shape == (1, 1 + grid**2, dimension)
    assert table.dtype == torch.float32
    assert not table[0, 0].any()
    row, column, channel = grid - 1, grid // 2, dimension // 4 - 1
    frequency = 10000 ** (-channel / (dimension / 4))
    entry = table[0, 1 + row * grid + column]
    quarter = dimension // 4
    expected = [
        math.sin(column * frequency),
        math.cos(column * frequency),
        math.sin(row * frequency),
        math.cos(row * frequency),
    ]
    assert entry[channel::quarter].tolist() == pytest.approx(expected, abs=1e-6)
