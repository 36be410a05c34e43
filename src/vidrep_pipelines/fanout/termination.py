"""Signals that end a run: SIGTERM as an orderly end, Ctrl-C for the driver alone."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker
from types import FrameType


@contextmanager
def termination_as_exit() -> Iterator[None]:
    """Turns SIGTERM into an exit that stops the workers first. Only the main thread may handle signals."""
    if (
        threading.current_thread() is not threading.main_thread()
        or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL
    ):
        yield
        return

    def leave(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


@contextmanager
def interrupts_kept_from_children() -> Iterator[None]:
    """Processes and threads that are started meanwhile never receive SIGINT.

    A terminal sends Ctrl-C to all processes of a run at once. The driver ends its workers; a worker that
    receives the signal as well, perhaps while it still starts, only litters the terminal with its traceback.
    Children inherit the mask from the thread that starts them, so that no moment is left unprotected.
    """
    resource_tracker.ensure_running()  # starts with the first child otherwise, and unblocks SIGINT then
    former = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, former)
