"""Requests to stop: a signal, or the death of the launcher."""

import logging
import os
import signal
import threading
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Self

from vidrep_pipelines.training.errors import LauncherLostError, TrainingInterrupted

_SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)
_log = logging.getLogger(__name__)


class Interruption:
    """While active, Ctrl-C, SIGTERM and SIGUSR1 only set a flag; batch systems send them before a time limit.

    A second Ctrl-C raises ``KeyboardInterrupt`` at once, unless a launcher started this process: it receives
    both as well, and decides. Where Ctrl-C is ignored, as in what a shell script runs in the background, it
    stays ignored.

    Signal handlers belong to the main thread; in another thread this does nothing. The former handlers
    come back at the end.

    Args:
        launcher_pid: The parent process, when a launcher started this one. None: nobody to watch.
    """

    def __init__(self, launcher_pid: int | None = None) -> None:
        self._launcher_pid = launcher_pid
        self._former: dict[signal.Signals, Any] = {}
        self._pressed = 0
        self.received: str = ""

    @property
    def requested(self) -> bool:
        """Whether somebody asked to stop."""
        return bool(self.received)

    def check_launcher(self) -> None:
        """Ends an orphan, which would otherwise compute for nobody and write into a restarted run's folder.

        Raises:
            LauncherLostError: The launcher is gone.
        """
        if self._launcher_pid is not None and os.getppid() != self._launcher_pid:
            raise LauncherLostError(f"The launcher (process {self._launcher_pid}) is gone; stopping.")

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                if number != signal.SIGINT or signal.getsignal(number) != signal.SIG_IGN:
                    self._former[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._former.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGINT and self._launcher_pid is None:
            self._pressed += 1
            if self._pressed > 1:
                raise KeyboardInterrupt
            _log.warning("Finishing the current update, then saving. Ctrl-C again stops at once.")
        self.received = signal.Signals(number).name


def interrupted(cause: str, step: int, path: Path) -> TrainingInterrupted:
    """The end of a run that ``cause`` stopped after ``step`` updates, all of which are saved in ``path``."""
    return TrainingInterrupted(
        f"Training was stopped by {cause} after update {step}; {path} is saved. "
        "The same command continues from it."
    )


def ignore_stop_signals() -> None:
    """Keeps a signal to the whole process group from killing data-loader workers in mid-step."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
