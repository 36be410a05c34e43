"""What one damaged input may cost, and how many of them a test reads.

A fuzz test looks like this::

    @pytest.mark.fuzz
    @ROUND
    @given(damaged(VALID))
    @example(b"what once was found")
    def test_headers(content: bytes) -> None:
        answer_within_limits(lambda: parse_header(content))

``make test`` plays one small round of each, with the same draws on every machine; ``make fuzz`` plays rounds
of new draws until the time is up (``schedule.py``).
"""

import ctypes
import gc
import signal
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import TypeVar

from hypothesis import HealthCheck, settings

from vidrep_pipelines.common.errors import VidrepError

T = TypeVar("T")

SECONDS = 1.0
"""Processor time of one input. Not time on the clock: a busy machine must not fail a test."""

MEBIBYTES = 256

_CLOCK_SECONDS = 30.0
"""For what waits instead of computing, as for the writer of a pipe."""

ROUND = settings(
    # Fixed draws are for `make test`, where they cost about a tenth of a second.
    max_examples=20 if settings.default is not None and settings.default.derandomize else 100,
    suppress_health_check=list(HealthCheck),
)
"""Settings of a fuzz test."""


class _TimeIsUpError(BaseException):
    """Passes through the ``except Exception`` of a parser."""


def answer_within_limits(read: Callable[[], T]) -> T | None:
    """What a reader made of its input, or None where it refused it as it should.

    Raises:
        AssertionError: It took too long or too much memory, or its refusal says nothing.
        Exception: Any but the project's own, which no reader may let out.
    """
    with within_limits():
        try:
            return read()
        except VidrepError as error:
            assert str(error).strip(), "the error says nothing"
            return None


@contextmanager
def within_limits(seconds: float = SECONDS, mebibytes: float = MEBIBYTES) -> Iterator[None]:
    """Fails a test whose body takes more.

    Memory is what Python and NumPy asked for, touched or not, and by how much the process grew, for what
    other libraries take.

    Raises:
        AssertionError: The body took more processor time or memory, or waited for something for ever.
    """
    gc.collect(0)
    traced_before = tracemalloc.is_tracing()
    if not traced_before:
        tracemalloc.start(1)
    tracemalloc.reset_peak()
    traced = tracemalloc.get_traced_memory()[0]
    _give_back_free_memory()
    resident = _restart_peak()
    start = time.process_time()
    late = False
    try:
        with _interrupted_after(seconds, _CLOCK_SECONDS):
            yield
    except _TimeIsUpError:
        late = True
    finally:
        spent = time.process_time() - start
        grown = max(tracemalloc.get_traced_memory()[1] - traced, _peak() - resident) / 2**20
        if not traced_before:
            tracemalloc.stop()
    assert not late, f"stopped after {spent:.1f} s of processor time; {seconds} s are allowed for one input"
    assert spent <= seconds, f"one input took {spent:.1f} s of processor time; {seconds} s are allowed"
    assert grown <= mebibytes, f"one input took {grown:.0f} MiB; {mebibytes} MiB are allowed"


@contextmanager
def _interrupted_after(processor: float, clock: float) -> Iterator[None]:
    """Raises in the body when its time is up, where the system has such timers."""
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        raise _TimeIsUpError

    timers = {signal.SIGPROF: (signal.ITIMER_PROF, processor), signal.SIGALRM: (signal.ITIMER_REAL, clock)}
    before = {number: signal.signal(number, stop) for number in timers}
    set_before = {timer: (0.0, 0.0) for timer, _ in timers.values()}
    try:
        for timer, seconds in timers.values():
            set_before[timer] = signal.setitimer(timer, seconds)
        yield
    finally:
        for timer, _ in timers.values():
            signal.setitimer(timer, 0)
        for number, handler in before.items():
            signal.signal(number, handler)
        for timer, remaining in set_before.items():
            signal.setitimer(timer, *remaining)  # the test's own limit goes on


def _give_back_free_memory() -> None:
    """Else what was freed before serves the body, and the process does not grow; only glibc has this."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def _restart_peak() -> int:
    """Lets the system count the process's peak anew, and says its size now; 0 where this cannot be asked."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return 0
    return _peak()


def _peak() -> int:
    """Largest size of the process since the count was restarted, bytes."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")), 0)
