import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.evaluation.video_prediction.frames import (
    FrameRuleConfig,
    even_places,
    prediction_frame_ids,
)


def test_the_published_rule_repeats_the_last_frame() -> None:
    ids = prediction_frame_ids(23, 16, FrameRuleConfig())
    assert ids.tolist() == [5, 7, 9, 11, 13, 15, 17, 19, 21, 22, 22, 22, 22, 22, 22, 22]
    whole = prediction_frame_ids(23, 16, FrameRuleConfig(only_one_clip=True))
    assert whole.tolist() == [0, 1, 2, 4, 5, 7, 8, 10, 11, 13, 14, 16, 17, 19, 20, 22]


@given(st.integers(7, 200), st.integers(2, 40), st.integers(0, 5), st.integers(1, 9), st.booleans())
def test_frames_are_of_the_episode_and_in_order(
    length: int, frames: int, start: int, skip: int, whole: bool
) -> None:
    ids = prediction_frame_ids(length, frames, FrameRuleConfig(start=start, skip=skip, only_one_clip=whole))
    assert len(ids) == frames and 0 <= ids.min() <= ids.max() < length and (np.diff(ids) >= 0).all()
    assert ids[0] == (0 if whole else start)


@pytest.mark.parametrize(("length", "rule"), [(6, {}), (1, {"only_one_clip": True})])
def test_an_episode_without_a_future_is_refused(length: int, rule: dict[str, bool]) -> None:
    with pytest.raises(InputError, match="nothing to predict"):
        prediction_frame_ids(length, 4, FrameRuleConfig(**rule))


def test_places_are_spread_over_all() -> None:
    assert even_places(9, 3) == [0, 4, 8]
    assert even_places(3, 9) == even_places(3, None) == [0, 1, 2]
    assert even_places(0, None) == []
