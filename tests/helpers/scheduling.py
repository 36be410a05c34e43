"""How the system shares processors among the tests' processes."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_THREADS = Path("/proc/self/task")


@contextmanager
def scheduling_kept() -> Iterator[None]:
    """Undoes what libraries do to the scheduling of this process, where the system tells.

    Run by root, SVT-AV1 makes the process that encodes a real-time one, threads and later children included:
    all others then only get the processor when it sleeps, and a test that waits for one may wait for ever.
    """
    if not hasattr(os, "sched_getscheduler"):
        yield
        return
    policy, parameter = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        for thread in [int(entry.name) for entry in _THREADS.iterdir()] if _THREADS.is_dir() else [0]:
            with suppress(OSError):  # it may end while one looks
                os.sched_setscheduler(thread, policy, parameter)
