from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from vidrep_pipelines.models.vpp.video.mixture import (
    ClipRule,
    MixtureConfig,
    draw_clip,
    draw_published_clip,
)


@dataclass(frozen=True)
class Counted:
    clips: int
    camera_shares: tuple[float, ...] = (1.0,)


DATASETS = [Counted(3), Counted(40, (0.75, 0.25))]
SHARES = np.array([0.2, 0.8])


def test_whole_episodes_are_spread_evenly_and_rounded_down() -> None:
    rule = ClipRule(kind="whole", max_frames=100)
    assert rule.counts(np.array([1, 100, 101])).tolist() == [1, 1, 0]
    assert rule.frame_ids(10, 0, 4).tolist() == [0, 3, 6, 9]
    assert rule.frame_ids(9, 0, 4).tolist() == [0, 2, 5, 8]  # 2.67 and 5.33


def test_strided_clips_stay_at_the_last_frame() -> None:
    rule = ClipRule(stride=2)
    assert rule.counts(np.array([1, 4, 5])).tolist() == [1, 2, 3]
    assert rule.frame_ids(5, 1, 4).tolist() == [2, 4, 4, 4]


def test_clips_in_which_little_is_left_can_be_left_out() -> None:
    rule = ClipRule(stride=2, least_frames=3)
    assert rule.counts(np.array([2, 3, 5, 6])).tolist() == [0, 1, 2, 2]


@given(st.integers(1, 200), st.integers(1, 20), st.integers(1, 7), st.sampled_from(["whole", "strided"]))
def test_every_clip_lies_in_the_episode_and_goes_forward(
    frames: int, length: int, stride: int, kind: Any
) -> None:
    rule = ClipRule(kind=kind, stride=stride)
    clips = int(rule.counts(np.array([frames]))[0])
    assert clips >= 1
    for clip in (0, clips - 1):
        ids = rule.frame_ids(frames, clip, length)
        assert len(ids) == length and ids[0] >= 0 and ids[-1] < frames
        assert (np.diff(ids) >= 0).all()


def test_published_rules_go_by_words_in_the_name() -> None:
    names = "bridge+sthv2+rt1+fold_cloth+xhand_1125+calvin+xbot_04+tabletop"
    mixture = MixtureConfig(datasets=names, prob=(0.125,) * 8)
    whole = [name for name in names.split("+") if mixture.rule(name).kind == "whole"]
    assert whole == ["bridge", "sthv2", "rt1", "tabletop"]
    assert mixture.rule("fold_cloth").stride == 5 and mixture.rule("calvin").stride == 2
    cameras = {name: len(mixture.camera_shares(name)) for name in names.split("+")}
    assert cameras == {**dict.fromkeys(cameras, 1), "xhand_1125": 2, "calvin": 2, "xbot_04": 3}


def test_own_rules_and_cameras_come_first() -> None:
    rule = ClipRule(kind="whole")
    mixture = MixtureConfig(datasets={"xhand": 1.0}, rules={"xhand": rule}, cameras={"xhand": (0.5, 0.5)})
    assert mixture.rule("xhand") == rule and mixture.camera_shares("xhand") == (0.5, 0.5)


def test_a_mapping_has_one_order_and_leaves_out_null() -> None:
    mixture = MixtureConfig(datasets={"rt1": 0.3, "calvin": None, "bridge": 0.7})
    assert list(mixture.shares.items()) == [("bridge", 0.7), ("rt1", 0.3)]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"datasets": "a+b", "prob": (0.5, 0.6)}, "must sum to 1"),
        ({"datasets": {"a": 0.5, "b": 1}}, r"sum to 1, .*\{a: 0.5, b: 1\}.*null leaves a data set out"),
        ({"datasets": {"a": 1.5, "b": -0.5}}, "must be positive"),
        ({"datasets": {"a": 1.0, "b": 0.0}}, "leave out what is 0"),
        ({"datasets": {"a": None}}, "must be positive"),
        ({"datasets": "a+b"}, "a number in mixture.prob for each"),
        ({"datasets": "a+a", "prob": (0.5, 0.5)}, "a name of its own"),
        ({"datasets": "a+b", "prob": (1.0,)}, "a number in mixture.prob for each"),
        ({"datasets": {"a": 1.0}, "prob": (1.0,)}, "belongs to names joined"),
        ({"datasets": "a", "rules": {"b": {}}}, "which mixture.datasets does not"),
        ({"datasets": "a", "cameras": {"a": (0.5, 0.4)}}, "mixture.cameras.a"),
    ],
)
def test_impossible_mixtures_are_named(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        MixtureConfig.model_validate(fields)


def test_all_clips_of_a_data_set_are_equally_likely() -> None:
    random = np.random.default_rng(3)
    draws = np.array([draw_clip(DATASETS, SHARES, random) for _ in range(6000)])
    assert abs((draws[:, 0] == 0).mean() - 0.2) < 0.02
    clips = np.bincount(draws[draws[:, 0] == 1, 1], minlength=40) / (draws[:, 0] == 1).sum()
    assert clips.max() < 1.5 / 40 and clips.min() > 0.6 / 40
    second = draws[draws[:, 0] == 1, 2].mean()
    assert abs(second - 0.25) < 0.03 and not draws[draws[:, 0] == 0, 2].any()


def test_published_draw_takes_the_index_and_draws_no_camera_where_there_is_one() -> None:
    random, expected = np.random.RandomState(4), np.random.RandomState(4)
    for index in range(50):
        draw = draw_published_clip(DATASETS, SHARES, index, random)
        number = expected.choice(2, p=SHARES)
        camera = expected.choice(2, p=(0.75, 0.25)) if number == 1 else 0
        assert draw == (number, index % DATASETS[number].clips, camera)
