"""Requests to stop: a signal, or the death of the launcher."""

import os
import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Self

from vidrep_pipelines.training.errors import LauncherLostError

_SIGNALS = (signal.SIGTERM, signal.SIGUSR1)


class Interruption:
    """While active, SIGTERM and SIGUSR1 (batch systems send them before a time limit) only set a flag.

    Signal handlers belong to the main thread; in another thread this does nothing. The former handlers
    come back at the end.

    Args:
        launcher_pid: The parent process, when a launcher started this one. None: nobody to watch.
    """

    def __init__(self, launcher_pid: int | None = None) -> None:
        self._launcher_pid = launcher_pid
        self._former: dict[signal.Signals, Any] = {}
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
            self._former = {number: signal.signal(number, self._note) for number in _SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._former.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.received = signal.Signals(number).name


def ignore_stop_signals(worker: int) -> None:
    """For data-loader workers: a signal to the whole process group must not kill them mid-step.

    They end with the training process, which the data loader's own watchdog takes care of.
    """
    del worker
    for number in (*_SIGNALS, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
