import pickle

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.data.frame_store.windows import FrameWindows


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.integers(0, 20), min_size=1, max_size=8),
    st.integers(1, 6),
    st.none() | st.integers(1, 15),
    st.integers(1, 4),
)
def test_windows_are_those_of_a_full_list(
    lengths: list[int], window: int, first: int | None, stride: int
) -> None:
    expected = [
        (view, slice(start, start + window))
        for view, length in enumerate(lengths)
        for start in range(0, min(length, first or length) - window + 1, stride)
    ]
    assume(expected)
    windows = FrameWindows(np.array(lengths), window, first, stride)
    assert [windows[number] for number in range(len(windows))] == expected
    assert pickle.loads(pickle.dumps(windows))[len(expected) - 1] == expected[-1]


def test_published_choice_has_one_window_per_view() -> None:
    windows = FrameWindows(np.array([31, 12, 11, 40]), 12, first_frames=12)
    assert [windows[number] for number in range(len(windows))] == [(view, slice(0, 12)) for view in (0, 1, 3)]


def test_out_of_range() -> None:
    windows = FrameWindows(np.array([3]), 2)
    for number in (-1, 2):
        with pytest.raises(IndexError):
            windows[number]


def test_no_view_is_long_enough() -> None:
    with pytest.raises(ConfigurationError, match="No view has the 12 frames"):
        FrameWindows(np.array([3, 11]), 12)
