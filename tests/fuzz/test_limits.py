import time
from collections.abc import Callable
from contextlib import suppress

import numpy as np
import pytest
import torch

from tests.fuzz.limits import answer_within_limits, within_limits
from vidrep_pipelines.common.errors import InputError

pytest_plugins = ("pytester",)


def busy(seconds: float) -> None:
    end = time.process_time() + seconds
    while time.process_time() < end:
        with suppress(Exception):  # as a parser that expects anything
            sum(range(1000))


def test_too_much_time_is_stopped() -> None:
    start = time.process_time()
    with pytest.raises(AssertionError, match=r"of processor time; 0\.2 s are allowed"), within_limits(0.2):
        busy(20)
    assert time.process_time() - start < 2


def test_waiting_costs_no_processor_time() -> None:
    with within_limits(0.1):
        time.sleep(0.2)


def array() -> object:
    return np.zeros(64 << 20, np.uint8)


def tensor() -> object:
    return torch.ones(64 << 20, dtype=torch.uint8)


def text() -> object:
    return b"x" * (64 << 20)


@pytest.mark.parametrize("build", [array, text])
def test_memory_is_counted_though_it_was_given_back(build: Callable[[], object]) -> None:
    """The process may grow a little meanwhile, by what other threads of it do."""
    with (
        pytest.raises(AssertionError, match=r"one input took (6[4-9]|7\d) MiB; 48 MiB"),
        within_limits(mebibytes=48),
    ):
        build()
    with within_limits(mebibytes=96):
        build()


def test_memory_of_other_libraries_is_counted() -> None:
    with pytest.raises(AssertionError, match=r"one input took \d\d MiB"), within_limits(mebibytes=32):
        tensor()


def test_the_projects_errors_are_answers() -> None:
    def refuse() -> None:
        raise InputError("it is damaged")

    def crash() -> None:
        raise IndexError

    assert answer_within_limits(refuse) is None
    assert answer_within_limits(lambda: 3) == 3
    with pytest.raises(IndexError):
        answer_within_limits(crash)


@pytest.mark.parametrize(("minutes", "skipped"), [(0.01, 0), (0, 1)])
def test_rounds_are_repeated_until_the_time_is_up(
    pytester: pytest.Pytester, minutes: float, skipped: int
) -> None:
    pytester.makepyfile(
        conftest="from tests.conftest import pytest_addoption, pytest_configure",
        test_it=f"""
import pytest
from hypothesis import given, strategies as st
rounds = []

@given(st.integers())
def test_property(number):
    assert len(rounds) {"> 1" if minutes else "== 1"}

@pytest.mark.fuzz
def test_fuzz(request):
    rounds.append(1)
""",
    )
    result = pytester.runpytest("--fuzz-minutes", str(minutes), "-p", "no:cacheprovider")
    result.assert_outcomes(passed=2 - skipped, skipped=skipped)


def test_what_a_later_round_finds_fails(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        conftest="from tests.conftest import pytest_addoption, pytest_configure",
        test_it="""
import pytest
rounds = []

@pytest.mark.fuzz
def test_fuzz():
    rounds.append(1)
    assert len(rounds) < 5
""",
    )
    pytester.runpytest("--fuzz-minutes", "1", "-p", "no:cacheprovider").assert_outcomes(failed=1)
