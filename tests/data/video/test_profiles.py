import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from vidrep_pipelines.data.video.profiles import PROFILES, ResizeConfig, target_size


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ((426, 240), (454, 256)),
        ((340, 256), (340, 256)),
        ((240, 426), (256, 454)),
        ((256, 256), (256, 256)),
        ((1280, 720), (454, 256)),
        ((320, 180), (454, 256)),
        ((99, 77), (328, 256)),
    ],
)
def test_published_sizes(source, target):
    assert target_size(*source, 256) == target


@given(st.integers(1, 8000), st.integers(1, 8000), st.integers(8, 512).map(lambda half: 2 * half))
def test_published_rule_for_any_size(width, height, short_side):
    new_width, new_height = target_size(width, height, short_side)
    assert min(new_width, new_height) == short_side
    assert new_width % 2 == new_height % 2 == 0
    long, short = max(width, height), min(width, height)
    exact = short_side * long / short
    assert max(new_width, new_height) in {2 * math.floor(exact / 2), 2 * round(exact / 2)}
    assert (new_height > new_width) <= (height > width)


def test_options_are_those_of_the_encoder():
    assert PROFILES["train"].options() == {
        "preset": "veryfast",
        "crf": "22.3",
        "g": "25",
        "bf": "3",
        "tune": "fastdecode",
        "partitions": "i4x4,i8x8",
        "motion-est": "dia",
        "psy": "0",
        "rc-lookahead": "8",
        "keyint_min": "25",
        "sc_threshold": "0",
        "b_strategy": "0",
        "b-pyramid": "none",
    }
    assert PROFILES["published"].options() == {"preset": "medium", "crf": "23.0", "g": "250", "bf": "3"}
    assert ResizeConfig(profile="small").encoding is PROFILES["small"]


@pytest.mark.parametrize(
    "wrong", [{"short_side": 255}, {"short_side": 0}, {"profile": "best"}, {"min_frames": 0}, {"crf": 23}]
)
def test_wrong_parameters_are_refused(wrong):
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        ResizeConfig(**wrong)
