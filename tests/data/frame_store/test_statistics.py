import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.frame_store.shard import pixel_sums
from vidrep_pipelines.data.frame_store.statistics import pixel_statistics


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(1, 5), min_size=1, max_size=5), st.integers(0, 99))
def test_statistics_are_those_of_all_pixels(lengths: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    clips = [rng.integers(0, 256, (length, 4, 3, 3), dtype=np.uint8) for length in lengths]
    statistics = pixel_statistics([pixel_sums(clip) for clip in clips], sum(lengths) * 12)
    pixels = np.concatenate(clips).reshape(-1, 3) / 255
    np.testing.assert_allclose(statistics.mean, pixels.mean(0), rtol=1e-12)
    np.testing.assert_allclose(statistics.std, pixels.std(0), rtol=1e-9, atol=1e-15)


def test_order_does_not_matter_to_the_bit() -> None:
    rng = np.random.default_rng(0)
    sums = [pixel_sums(rng.integers(0, 256, (2, 8, 8, 3), dtype=np.uint8)) for _ in range(30)]
    assert pixel_statistics(sums, 3840) == pixel_statistics(sums[::-1], 3840)


def test_sums_beyond_64_bits() -> None:
    pixels = 2**47
    sums = [np.array([[255 * pixels] * 3, [2**62] * 3]), np.array([[0] * 3, [255**2 * pixels - 2**62] * 3])]
    statistics = pixel_statistics(sums, pixels)
    assert statistics.mean == (1.0,) * 3
    assert statistics.std == (0.0,) * 3


def test_nothing_has_no_mean() -> None:
    with pytest.raises(InputError, match="no frames"):
        pixel_statistics([], 0)
