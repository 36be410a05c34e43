import math

import numpy as np
import pytest

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.common.foreign_number import seconds, whole_number, whole_numbers


@pytest.mark.parametrize("value", [3, 3.0, "3", " 3.0 ", np.int16(3), np.float32(3), "3e0"])
def test_one_number_in_many_spellings(value: object) -> None:
    number = whole_number(value, "it")
    assert number == 3
    assert type(number) is int


def test_large_numbers_stay_exact() -> None:
    assert whole_number(str(2**53 + 1), "it") == 2**53 + 1


@pytest.mark.parametrize(
    "value", [-1, 5, 2.5, math.nan, math.inf, "", "x", "²", "nan", None, True, [3], 1e300, "9" * 400, b"3"]
)
def test_what_is_no_whole_number_in_the_range(value: object) -> None:
    with pytest.raises(InputError, match=r"the class is .*, where a whole number from 0 to 4 is expected"):
        whole_number(value, "the class", most=4)


def test_seconds() -> None:
    assert seconds("64.2", "it") == 64.2
    for bad in (-0.1, math.nan, "x", None, 1e6, math.inf):
        with pytest.raises(InputError, match=r"it is .*, where seconds from 0 to 1000000 are expected"):
            seconds(bad, "it")


@pytest.mark.parametrize("kind", [np.int8, np.uint64, np.float32])
def test_labels_of_any_type_become_whole_numbers(kind: type) -> None:
    labels = whole_numbers(np.array([0, 4], kind), "labels", -1, 4)
    assert labels.dtype == np.int64
    assert labels.tolist() == [0, 4]


def test_no_labels_are_an_empty_array() -> None:
    assert whole_numbers([], "labels", 0, 4).shape == (0,)


@pytest.mark.parametrize(
    "values", [[0, math.nan], [0, 2.5], [0, 5], [0, -2], np.array([0, 2**64 - 1], np.uint64), [0, 1e30]]
)
def test_the_first_bad_label_is_named(values: object) -> None:
    with pytest.raises(InputError, match=r"labels: number 1 of 2 is .* from -1 to 4 is expected"):
        whole_numbers(values, "labels", -1, 4)


@pytest.mark.parametrize("values", [[[0]], ["a"], [True], 3, None])
def test_what_is_no_list_of_numbers(values: object) -> None:
    with pytest.raises(InputError, match=r"labels must be whole numbers \(T,\)"):
        whole_numbers(values, "labels", 0, 4)
