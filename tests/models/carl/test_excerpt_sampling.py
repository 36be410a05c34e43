import math
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.models.carl.excerpt_sampling import ExcerptSamplingConfig, sample_excerpts

CONFIGS = st.builds(
    ExcerptSamplingConfig,
    frames=st.integers(1, 20).map(lambda half: 2 * half),
    views=st.integers(1, 3),
    strategy=st.sampled_from(["time_augment", "offset_uniform"]),
    region=st.floats(0.5, 3),
    block=st.sampled_from(["video", "view"]),
    overlap=st.floats(0, 1),
    context_frames=st.integers(1, 3),
    context_stride=st.integers(1, 5),
    positive_window=st.sampled_from([0, 0, 5]),
    uneven_pace=st.sampled_from([0.0, 0.0, 1.0]),
)


def views_of(length: int, seed: int = 0, **fields: Any) -> list[Any]:
    return sample_excerpts(length, ExcerptSamplingConfig(**fields), np.random.default_rng(seed))


@given(CONFIGS, st.integers(1, 80), st.integers(0, 2**32))
def test_views_lie_in_the_video(config: ExcerptSamplingConfig, length: int, seed: int) -> None:
    views = sample_excerpts(length, config, np.random.default_rng(seed))
    assert len(views) == config.views
    for view in views:
        assert view.positions.shape == view.mask.shape == (config.frames,)
        assert view.frames.shape == (config.frames * config.context_frames,)
        for ranks in (view.frames, view.positions):
            assert ranks.min() >= 0 and ranks.max() < length
        assert set(view.mask.tolist()) <= {0, 1}


@given(CONFIGS, st.integers(1, 80), st.integers(0, 2**32))
def test_the_last_frame_of_each_context_is_its_position(
    config: ExcerptSamplingConfig, length: int, seed: int
) -> None:
    for view in sample_excerpts(length, config, np.random.default_rng(seed)):
        context = view.frames.reshape(config.frames, config.context_frames)
        real = view.mask.astype(bool)
        assert (context[real, -1] == view.positions[real]).all()
        for back in range(config.context_frames):
            expected = np.maximum(view.positions - back * config.context_stride, 0)
            assert (context[real, -1 - back] == expected[real]).all()


@given(CONFIGS, st.integers(1, 80), st.integers(0, 2**32))
def test_real_anchors_are_distinct_and_ascend(config: ExcerptSamplingConfig, length: int, seed: int) -> None:
    step = 2 if config.positive_window else 1
    for view in sample_excerpts(length, config, np.random.default_rng(seed)):
        anchors = view.positions[::step][view.mask[::step] == 1]
        assert (np.diff(anchors) > 0).all()
        if config.positive_window:
            both = (view.mask[0::2] & view.mask[1::2]).astype(bool)
            distance = view.positions[0::2] - view.positions[1::2]
            assert ((distance >= 1) & (distance <= config.positive_window))[both].all()


def test_a_video_block_has_no_crop_but_loses_frames_to_padding() -> None:
    """The published block is at least as long as the video, so that positions beyond its end are padding."""
    views = [view for seed in range(300) for view in views_of(400, seed, frames=80, views=1)]
    shares = [view.mask.mean() for view in views]
    assert 0.78 < np.mean(shares) < 0.84
    assert min(int(view.positions.min()) for view in views) == 0


def test_a_view_block_is_a_crop_of_the_video() -> None:
    views = [view for seed in range(200) for view in views_of(400, seed, frames=80, views=1, block="view")]
    assert all(view.mask.all() for view in views)
    spans = [int(np.ptp(view.positions)) for view in views]
    assert max(spans) < 120 and min(spans) >= 79
    assert max(int(view.positions.min()) for view in views) > 250


@pytest.mark.parametrize("overlap", [0.2, 1.0])
def test_the_second_view_starts_near_the_first(overlap: float) -> None:
    """Slow oracle: the block of the second view may start at most ``shift`` away from the first frame of the
    first view, wherever the video leaves room."""
    starts = []
    for seed in range(300):
        first, second = views_of(500, seed, frames=40, block="view", region=1.0, overlap=overlap)
        assert abs(int(second.positions.min()) - int(first.positions.min())) <= int((1 - overlap) * 40) + 20
        starts.append(int(second.positions.min()) - int(first.positions.min()))
    assert (np.abs(starts).max() > 20) == (overlap < 1)


def test_every_set_of_frames_is_equally_likely() -> None:
    drawn = Counter(
        tuple(views_of(5, seed, frames=2, views=1, strategy="offset_uniform")[0].positions.tolist())
        for seed in range(3000)
    )
    assert len(drawn) == math.comb(5, 2)
    assert max(drawn.values()) < 1.4 * min(drawn.values())


def test_short_videos_are_padded_at_the_end() -> None:
    (view,) = views_of(4, frames=6, views=1, strategy="offset_uniform")
    assert view.positions.tolist() == [0, 1, 2, 3, 3, 3] and view.mask.tolist() == [1, 1, 1, 1, 0, 0]
    (view,) = views_of(4, frames=6, views=1, region=1.0)
    assert view.positions.tolist() == [0, 1, 2, 3, 3, 3] and view.mask.tolist() == [1, 1, 1, 1, 0, 0]


def test_videos_of_one_frame_can_be_sampled_and_empty_ones_not() -> None:
    for view in views_of(1, frames=6):
        assert view.positions.tolist() == [0] * 6 and view.mask.sum() <= 1
    with pytest.raises(InputError, match="at least one frame"):
        views_of(0)


def test_pairs_need_an_even_number_of_frames() -> None:
    with pytest.raises(ValidationError, match="must be even"):
        ExcerptSamplingConfig(frames=5, positive_window=5)


def test_an_uneven_pace_is_one_of_the_excerpts_own() -> None:
    def first_halves(uneven: float) -> list[float]:
        """Shares of the frames that lie in the first half of the video."""
        config = ExcerptSamplingConfig(frames=40, region=1.0, overlap=0.0, uneven_pace=uneven)
        rng = np.random.default_rng(0)
        views = [view for _ in range(60) for view in sample_excerpts(400, config, rng)]
        return [float((view.positions < 200).mean()) for view in views]

    even, uneven = first_halves(0.0), first_halves(1.0)
    assert np.mean(even) == pytest.approx(0.5, abs=0.03)
    assert np.mean(uneven) == pytest.approx(0.5, abs=0.08)
    assert np.std(uneven) > 2 * np.std(even)
    one, other = uneven[::2], uneven[1::2]  # of the same video
    assert abs(np.corrcoef(one, other)[0, 1]) < 0.4


def test_runs_of_even_pace_are_described_as_before() -> None:
    assert "uneven_pace" not in ExcerptSamplingConfig().model_dump(mode="json")
    uneven = ExcerptSamplingConfig(uneven_pace=0.5)
    assert ExcerptSamplingConfig.model_validate(uneven.model_dump()) == uneven
