import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.evaluation.bootstrap import confidence_interval, mean_over_members, wilson_interval
from vidrep_pipelines.evaluation.label_propagation.part_segmentation import segmentation_score


def test_the_value_is_the_mean_over_members_not_groups():
    groups = [np.array([1.0, 1.0]), np.array([0.0])]
    assert confidence_interval(mean_over_members(groups), 2).value == pytest.approx(2 / 3)


def test_intervals_are_about_those_of_theory():
    values = np.random.default_rng(0).normal(0.6, 0.1, 200)
    found = confidence_interval(mean_over_members([np.array([value]) for value in values]), 200)
    half = stats.norm.ppf(0.975) * values.std() / np.sqrt(200)
    assert found.low == pytest.approx(values.mean() - half, abs=0.1 * half)
    assert found.high == pytest.approx(values.mean() + half, abs=0.1 * half)


def test_groups_that_agree_within_widen_the_interval():
    groups = [np.full(10, value) for value in np.linspace(0, 1, 20)]
    members = [np.array([value]) for group in groups for value in group]
    by_group = confidence_interval(mean_over_members(groups), 20)
    by_member = confidence_interval(mean_over_members(members), 200)
    assert by_group.value == pytest.approx(by_member.value)
    assert by_group.high - by_group.low > 2 * (by_member.high - by_member.low)


def test_draws_depend_on_the_seed_only():
    statistic = mean_over_members([np.array([value]) for value in (0.1, 0.5, 0.9)])
    assert confidence_interval(statistic, 3) == confidence_interval(statistic, 3)
    assert confidence_interval(statistic, 3, level=0.5).low >= confidence_interval(statistic, 3).low
    wide = [confidence_interval(statistic, 3, resamples=11, seed=seed) for seed in range(5)]
    assert len({(one.low, one.high) for one in wide}) > 1


def test_any_statistic_of_weights_can_be_resampled():
    matrices = np.random.default_rng(0).integers(1, 20, (8, 3, 3))

    def mean_iou(weights):
        return segmentation_score(np.einsum("rg,gij->rij", weights, matrices)).mean_iou

    found = confidence_interval(mean_iou, 8, resamples=500)
    assert found.value == pytest.approx(float(segmentation_score(matrices.sum(axis=0)).mean_iou))
    assert found.low < found.value < found.high


def test_one_group_says_nothing_about_others_and_none_is_an_error():
    alone = confidence_interval(mean_over_members([np.array([0.3, 0.5])]), 1)
    assert alone.low == alone.value == alone.high
    with pytest.raises(InputError, match="at least one"):
        confidence_interval(mean_over_members([]), 0)


@given(st.integers(1, 500), st.floats(0, 1))
def test_wilson_holds_the_share(count: int, share: float) -> None:
    low, high = wilson_interval(share, count, 0.95)
    assert 0 <= low <= share + 1e-12 and share - 1e-12 <= high <= 1


def test_wilson_of_ten_out_of_ten() -> None:
    low, high = wilson_interval(1.0, 10, 0.95)
    assert low == pytest.approx(0.7225, abs=1e-4) and high == 1
