"""How `make fuzz` spends its minutes (``--fuzz-minutes``)."""

import random
import time

import pytest

_SHARE_OF_FUZZ_TESTS = 0.7
"""The rest is left for the property tests of the whole suite."""


class FuzzSchedule:
    """Each fuzz test repeats its round of draws until its share of the time is over; property tests follow.

    Those come in an order that changes, and whichever would start after the end is skipped: running out of
    time is no failure.
    """

    def __init__(self, minutes: float) -> None:
        self._seconds = 60 * minutes
        self._end = self._fuzz_end = 0.0
        self._fuzz_tests_left = 0

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Puts the fuzz tests first and shuffles the others."""
        fuzz = [item for item in items if _is_fuzz(item)]
        others = [item for item in items if not _is_fuzz(item)]
        random.SystemRandom().shuffle(others)
        items[:] = fuzz + others

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Starts the clock, and counts what the time is shared by now that others are deselected."""
        now = time.monotonic()
        self._end, self._fuzz_end = now + self._seconds, now + self._seconds * _SHARE_OF_FUZZ_TESTS
        self._fuzz_tests_left = sum(map(_is_fuzz, session.items))

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Starts nothing after the end."""
        if not _is_fuzz(item) and time.monotonic() > self._end:
            pytest.skip("the minutes are over")

    @pytest.hookimpl(tryfirst=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> bool | None:
        """Repeats a fuzz test; other tests are left to pytest."""
        if not _is_fuzz(pyfuncitem):
            return None
        now = time.monotonic()
        end = now + max(self._fuzz_end - now, 0) / max(self._fuzz_tests_left, 1)
        self._fuzz_tests_left -= 1
        arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
        while True:
            pyfuncitem.obj(**arguments)
            if time.monotonic() > end:
                return True


def _is_fuzz(item: pytest.Item) -> bool:
    return item.get_closest_marker("fuzz") is not None
