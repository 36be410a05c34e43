"""Ranges and deviations: what comes back is what went in, and what cannot be is refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.models.vpp.policy.units import (
    CALVIN_STATE_COLUMNS,
    Bounds,
    Standard,
    StateCoding,
    sized,
    with_positive_quaternion,
)

numbers = st.floats(-100, 100)


@given(st.lists(st.tuples(numbers, st.floats(0.01, 100), st.floats(0, 1)), min_size=1, max_size=5))
def test_what_is_within_the_ranges_comes_back(rows: list[tuple[float, float, float]]) -> None:
    low, width, share = map(np.array, zip(*rows, strict=True))
    bounds = Bounds(low, low + width)
    values = low + share * width
    normalized = bounds.normalized(values)
    assert (np.abs(normalized) <= 1).all()
    assert_allclose(bounds.restored(normalized), values, atol=1e-5)


@given(st.lists(st.tuples(numbers, st.floats(0.01, 100), numbers), min_size=1, max_size=5))
def test_by_means_and_deviations_everything_comes_back(rows: list[tuple[float, float, float]]) -> None:
    mean, deviation, values = map(np.array, zip(*rows, strict=True))
    standard = Standard(mean, deviation)
    assert_allclose(standard.restored(standard.normalized(values)), values, atol=1e-9)


def test_limits_and_middle() -> None:
    bounds = Bounds(np.array([0.0, -2.0]), np.array([4.0, 2.0]))
    assert_allclose(
        bounds.normalized(np.array([[0, -2], [2, 0], [9, 2]])), [[-1, -1], [0, 0], [1, 1]], atol=1e-7
    )
    assert bounds.size == 2


def test_a_number_that_never_changed_is_minus_one_at_its_value_and_a_limit_elsewhere() -> None:
    bounds = Bounds(np.zeros(1), np.zeros(1))
    assert bounds.normalized(np.array([[0.0], [0.1], [-0.1]])).ravel().tolist() == [-1.0, 1.0, -1.0]


@pytest.mark.parametrize(
    ("low", "high"), [([1.0], [0.0]), ([0.0], [1.0, 2.0]), ([[0.0]], [[1.0]]), ([0.0], [np.nan])]
)
def test_ranges_that_are_none(low: list[float], high: list[float]) -> None:
    with pytest.raises(InputError, match="Remedy"):
        Bounds(np.array(low), np.array(high))


@pytest.mark.parametrize(("mean", "deviation"), [([0.0], [0.0]), ([0.0, 1.0], [1.0]), ([np.inf], [1.0])])
def test_deviations_that_are_none(mean: list[float], deviation: list[float]) -> None:
    with pytest.raises(InputError, match="Remedy"):
        Standard(np.array(mean), np.array(deviation))


def test_calvins_columns_of_the_state() -> None:
    coding = StateCoding(Standard(np.zeros(15), np.full(15, 2.0)), CALVIN_STATE_COLUMNS)
    assert_allclose(coding.encode(np.arange(15.0)), np.array([0, 1, 2, 3, 4, 5, 6, 14]) / 2)
    with pytest.raises(InputError, match="15 of each"):
        coding.encode(np.zeros(14))
    with pytest.raises(InputError, match="number 14 is asked for"):
        StateCoding(columns=(14,)).encode(np.zeros(3))


def test_a_quaternion_is_turned_and_nothing_else() -> None:
    state = np.arange(19.0)
    turned = with_positive_quaternion(np.concatenate([state[:3], -state[3:7], state[7:]]))
    assert_allclose(turned, state)
    assert_allclose(StateCoding(quaternion=True).encode(turned), state)


def test_numbers_that_are_none_are_refused() -> None:
    with pytest.raises(InputError, match="finite"):
        sized(np.array([1.0, np.nan]), 2)
    with pytest.raises(InputError, match="2 of each"):
        sized(np.zeros((4, 3)), 2)
