"""The training processes of this machine: started, watched, told to stop, and gone at the end."""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import connection
from pathlib import Path
from types import TracebackType
from typing import Self, cast

from vidrep_pipelines.training.config import TrainSpec
from vidrep_pipelines.training.place import Place
from vidrep_pipelines.training.worker import run_rank

_SECONDS_BETWEEN_LOOKS = 0.1
_SECONDS_FOR_THE_OTHERS = 10.0
"""Once a process has died, the others end at their next exchange with it; one may be writing a checkpoint."""


@dataclass(frozen=True)
class Death:
    """A training process that ended otherwise than it should.

    Attributes:
        rank: The process's number.
        exit_code: Negative: the signal that killed it.
    """

    rank: int
    exit_code: int

    def __str__(self) -> str:
        how = (
            f"was killed by {signal.Signals(-self.exit_code).name}"
            if self.exit_code < 0
            else f"ended with code {self.exit_code}"
        )
        return f"Training process {self.rank} {how}"


class LocalProcesses:
    """Starts the training processes of ``spec``; at the end of the ``with`` statement all are gone.

    Args:
        spec: What they train.
        folder: A private one in which they meet and leave their reports.
    """

    def __init__(self, spec: TrainSpec, folder: Path) -> None:
        count, text = spec.launch.processes, spec.model_dump_json()
        context = multiprocessing.get_context("spawn")
        self._processes = [
            context.Process(
                target=run_rank,
                args=(text, Place.on_this_machine(rank, count, folder), str(folder)),
                name=f"training-{rank}",
            )
            for rank in range(count)
        ]

    def __enter__(self) -> Self:
        try:
            with _ctrl_c_ignored():
                for process in self._processes:
                    process.start()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def wait(self, stop_requested: Callable[[], bool]) -> Death | None:
        """Returns when all have ended, or some seconds after one died; which one was the first to die.

        Args:
            stop_requested: Asked all the time. Once it says so, the processes are told to stop after the
                current update, for which they have all the time they need.
        """
        running = {process.sentinel: rank for rank, process in enumerate(self._processes)}
        first, told, deadline = None, False, float("inf")
        while running and time.monotonic() < deadline:
            for sentinel in cast(list[int], connection.wait(list(running), _SECONDS_BETWEEN_LOOKS)):
                rank = running.pop(sentinel)
                code = self._exit_code(rank)
                if code and first is None:
                    first, deadline = Death(rank, code), time.monotonic() + _SECONDS_FOR_THE_OTHERS
            if stop_requested() and not told:
                told = True
                self._tell_to_stop()
        return first

    def _exit_code(self, rank: int) -> int:
        process = self._processes[rank]
        process.join()
        return process.exitcode or 0

    def _tell_to_stop(self) -> None:
        for process in self._processes:
            if process.pid is not None and process.is_alive():
                with suppress(ProcessLookupError):
                    os.kill(process.pid, signal.SIGTERM)

    def _end(self) -> None:
        started = [process for process in self._processes if process.pid is not None]
        for process in started:
            process.kill()
        for process in started:
            process.join()


@contextmanager
def _ctrl_c_ignored() -> Iterator[None]:
    """Processes that are started meanwhile ignore Ctrl-C; this one tells them what to do about it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    former = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, former)
