from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy.stats import chisquare

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.clips.sampling import PairSampling, sample_pair

DRAWS = 20_000


def draw_pairs(frames: int, seed: int, max_distance: int = 48, min_distance: int = 4) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.array([sample_pair(frames, rng, max_distance, min_distance) for _ in range(DRAWS)])


@given(
    frames=st.integers(2, 400),
    max_distance=st.integers(1, 80),
    data=st.data(),
    seed=st.integers(0, 2**32 - 1),
)
def test_pairs_stay_within_the_clip_and_the_distances(
    frames: int, max_distance: int, data: st.DataObject, seed: int
) -> None:
    min_distance = data.draw(st.integers(1, max_distance))
    first, second = sample_pair(frames, np.random.default_rng(seed), max_distance, min_distance)
    assert 0 <= first < second < frames
    if frames > max_distance:
        assert min_distance <= second - first <= max_distance
        assert first <= frames - max_distance - 1


def test_first_rank_and_distance_are_uniform_and_reach_both_ends() -> None:
    pairs = draw_pairs(frames=60, seed=7)
    first, distance = pairs[:, 0], pairs[:, 1] - pairs[:, 0]
    starts, distances = np.bincount(first), np.bincount(distance)[4:]
    assert len(starts) == 60 - 48 and len(distances) == 48 - 4 + 1
    assert chisquare(starts).pvalue > 0.001
    assert chisquare(distances).pvalue > 0.001
    assert abs(np.corrcoef(first, distance)[0, 1]) < 0.03


def test_49_frames_is_the_shortest_clip_with_the_regular_draw() -> None:
    regular, short = draw_pairs(frames=49, seed=1), draw_pairs(frames=48, seed=1)
    assert np.unique(regular[:, 0]).tolist() == [0]
    assert np.diff(regular).min() == 4
    assert np.diff(short).min() == 1
    assert short[:, 0].max() == 46


def test_short_clips_draw_every_unordered_pair_equally_often() -> None:
    counts = Counter(map(tuple, draw_pairs(frames=6, seed=3).tolist()))
    assert sorted(counts) == [(i, j) for i in range(6) for j in range(i + 1, 6)]
    assert chisquare(list(counts.values())).pvalue > 0.001


@pytest.mark.parametrize("frames", [0, 1])
def test_a_clip_without_two_frames_is_refused(frames: int) -> None:
    with pytest.raises(InputError, match=f"at least 2 frames, this one has {frames}"):
        sample_pair(frames, np.random.default_rng(0))


def test_pair_sampling_draws_independent_pairs_with_its_own_limits() -> None:
    sampling = PairSampling(pairs_per_clip=3, max_distance=10, min_distance=9)
    ranks = sampling(200, np.random.default_rng(0))
    assert ranks.shape == (3, 2) and ranks.dtype == np.int64
    assert set(np.diff(ranks).ravel()) <= {9, 10}
    assert len(np.unique(ranks[:, 0])) == 3


def test_pair_sampling_equals_successive_single_draws() -> None:
    rng = np.random.default_rng(5)
    expected = [sample_pair(100, rng), sample_pair(100, rng)]
    assert PairSampling()(100, np.random.default_rng(5)).tolist() == [list(pair) for pair in expected]


@pytest.mark.parametrize(
    "wrong", [{"min_distance": 49}, {"pairs_per_clip": 0}, {"max_distance": 0}, {"max_gap": 3}]
)
def test_pair_sampling_refuses_senseless_limits(wrong: dict[str, int]) -> None:
    with pytest.raises(ValidationError):
        PairSampling(**wrong)
