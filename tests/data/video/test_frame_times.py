import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidrep_pipelines.data.video.frame_times import are_presentation_times, presentation_times


@pytest.mark.parametrize(
    ("ticks", "times"),
    [
        ([0, 40, 80], [0, 40, 80]),
        ([-80, -40, 300], [-80, -40, 300]),
        ([7], [7]),
        ([None], [0]),
        ([None, None, None], [0, 40, 80]),
        ([100, None, None, 400], [100, 200, 300, 400]),
        ([None, 100, None], [60, 100, 140]),
        ([0, 40, 40, 80], [0, 40, 41, 80]),
        ([0, 0, 0, 1], [0, 1, 2, 3]),
        ([1, 3, 2, 4], [1, 41, 81, 121]),  # stored in another order: no presentation times
        ([0, 40, 80, 0, 40], [0, 40, 80, 120, 160]),  # another recording was joined on
        ([2**53 + 1, 2**53 + 2], [2**53 + 1, 2**53 + 2]),
    ],
)
def test_times_are_mended(ticks, times):
    assert presentation_times(ticks, 40).tolist() == times


@given(st.lists(st.none() | st.integers(-(2**40), 2**40), min_size=1, max_size=30), st.integers(0, 1000))
def test_times_always_increase(ticks, period):
    times = presentation_times(ticks, period)
    assert len(times) == len(ticks)
    assert (np.diff(times) > 0).all()


@given(st.lists(st.integers(-(2**60), 2**60), min_size=1, max_size=30, unique=True))
def test_good_times_stay_as_they_are(ticks):
    assert presentation_times(sorted(ticks), 40).tolist() == sorted(ticks)
    assert are_presentation_times(sorted(ticks))
