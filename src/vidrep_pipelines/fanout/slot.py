"""A worker process and the item that it is working on."""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, InvalidStateError, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.context import SpawnContext
from pathlib import Path
from types import FrameType
from typing import Literal

from pebble import ProcessExpired, ProcessPool

from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.fanout.errors import FanOutError
from vidrep_pipelines.fanout.job import Item
from vidrep_pipelines.fanout.worker import Status, describe, prepare_process, run_tasks


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


_SECONDS_BETWEEN_LOOKS = 0.05


class MemoryWatch:
    """Kills a process that holds more than its limit of resident memory.

    The address space would be easier to limit, but video and array libraries reserve far more than they use.

    Args:
        limit: Bytes.
        context: Makes the pipe through which each new process tells its number.

    Raises:
        ConfigurationError: This system does not tell how much memory a process holds.
    """

    def __init__(self, limit: int, context: SpawnContext) -> None:
        if resident_bytes(os.getpid()) == 0:
            raise ConfigurationError(
                "fanout.memory_limit needs the /proc file system of Linux. Remedy: set it to null."
            )
        self._limit = limit
        self._receiver, self.announce = context.Pipe(duplex=False)
        self._over = threading.Event()
        self.exceeded = False
        threading.Thread(target=self._look, daemon=True).start()

    def stop(self) -> None:
        """Ends the watch."""
        self._over.set()

    def _look(self) -> None:
        process: int | None = None
        while not self._over.wait(_SECONDS_BETWEEN_LOOKS):
            while self._receiver.poll():
                process = self._receiver.recv()
            if process is not None and resident_bytes(process) > self._limit:
                self.exceeded = True
                os.kill(process, signal.SIGKILL)
                process = None
        self._receiver.close()
        self.announce.close()


def resident_bytes(process: int) -> int:
    """Memory of a process that is in RAM; 0 when there is no such process or the system does not tell."""
    try:
        pages = Path(f"/proc/{process}/statm").read_text().split()[1]
    except (OSError, IndexError):
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


LOOK_SECONDS = 0.5
"""How often one looks whether a task can still end by itself."""

BATCH_SECONDS = 0.05
"""How long items that travel together take: many times what it costs to send them."""

End = Literal["ok", "failed", "error", "fatal", "late", "died", "memory", "crowded", "not started"]


@dataclass(frozen=True, slots=True)
class Attempt:
    """An item on its way to a worker.

    Attributes:
        item: The item.
        packed: The pickled item and attempt, as the worker gets it.
        attempt: 1 the first time.
    """

    item: Item
    packed: bytes
    attempt: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a task ended.

    Attributes:
        end: ``ok`` and ``failed`` are recorded by the worker. ``error``: the function left by other means
            than an exception of its own; ``fatal``: the job cannot go on; ``late``: stopped at the deadline;
            ``died``: the process was killed or crashed; ``memory``: killed at the memory limit, ``crowded``:
            other items may be to blame for either; ``not started``: no process took the task.
        seconds: How long it took, without the way to the process and back if it ended well.
        text: What went wrong.
        error: Why the job cannot go on.
    """

    end: End
    seconds: float = 0.0
    text: str = ""
    error: FanOutError | None = None


class Slot:
    """One worker process that takes a few tasks at a time, replaced when it dies or exceeds a limit.

    The process is a pool of one: in a pool of several the processes share locks, so that one killed in the
    wrong microsecond stalls the others, and it is not always known which task a dead process had taken.

    Args:
        recipe: The pickled recipe.
        config: Deadline and memory limit.
        on_finish: Called with this slot, from another thread, when its tasks ended in whatever way.
    """

    def __init__(
        self, recipe: bytes, config: FanOutConfig, on_finish: "Callable[[Slot], None] | None" = None
    ) -> None:
        self._recipe = recipe
        self._config = config
        self._on_finish = on_finish
        self._pool: ProcessPool | None = None
        self._watch: MemoryWatch | None = None
        self._future: Future[tuple[list[Status], float]] = Future()
        self._tasks_of_process = self._tasks = 0

    def start(self, packed: Sequence[bytes]) -> None:
        """Hands pickled pairs of item and attempt to the process; starts one if there is none."""
        self._started, self._tasks = time.monotonic(), len(packed)
        if self._pool is not None and not self._pool.active:
            self.stop()
        with interrupts_kept_from_children():
            self._schedule(packed)
        if self._on_finish is not None:
            on_finish = self._on_finish
            self._future.add_done_callback(lambda _: on_finish(self))

    def _schedule(self, packed: Sequence[bytes]) -> None:
        """The pool's process starts with its first task, its successors in threads that start then."""
        if self._pool is None:
            self._pool = self._new_pool()
        if self._watch is not None:
            self._watch.exceeded = False
        self._tasks_of_process += len(packed)
        limit = self._config.deadline_seconds
        if len(packed) > 1:  # the last one is begun so much later, and has its whole deadline nevertheless
            limit += BATCH_SECONDS
        work = (self._recipe, packed, BATCH_SECONDS)
        try:
            self._future = self._pool.schedule(run_tasks, args=work, timeout=limit)
        except RuntimeError:  # the process died before it was given anything
            self._future = Future()
            self._future.set_exception(BrokenProcessPool())

    def outcomes(self) -> list[Outcome]:
        """How the tasks ended; waits for them. A process that may be harmed does not get another task.

        Returns:
            One outcome per task, in their order. Those beyond the last outcome were not begun: others took
            longer than expected, or no process started. When one of several brings their process to an end,
            it is not known which: each is ``crowded`` then, and has to be tried alone.
        """
        while not self.ended(LOOK_SECONDS):
            pass
        error, seconds = self._future.exception(), time.monotonic() - self._started
        if error is None:
            statuses, seconds = self._future.result()
            return [Outcome(status, seconds / len(statuses)) for status in statuses]
        outcome = self._outcome(error, seconds)
        if outcome.end in ("died", "memory", "crowded", "not started"):
            self.stop()
        elif outcome.end == "late":  # killed already, and replaced with the next task
            self._tasks_of_process = 0
        if self._tasks == 1 or outcome.end in ("fatal", "not started"):
            return [outcome]
        return [Outcome("crowded", seconds / self._tasks)] * self._tasks

    def ended(self, seconds: float) -> bool:
        """Whether the task has ended, in whatever way; waits at most so long for it.

        A pool whose process dies before the pool has seen its task never ends that task: it is ended here.
        """
        wait([self._future], seconds)
        broken = self._pool is not None and not self._pool.active
        if broken and not wait([self._future], LOOK_SECONDS).done:
            with suppress(InvalidStateError):
                self._future.set_exception(BrokenProcessPool())
        return self._future.done()

    def stop(self) -> None:
        """Kills the process; the next task starts a new one."""
        if self._watch is not None:
            self._watch.stop()
            self._watch = None
        if self._pool is not None:
            self._pool.stop()
            self._pool.join()
            self._pool = None

    def _outcome(self, error: BaseException, seconds: float) -> Outcome:
        match error:
            case FanOutError():
                return Outcome("fatal", seconds, error=error)
            case ProcessExpired() | BrokenProcessPool() if self._watch is not None and self._watch.exceeded:
                return Outcome("memory" if self._tasks_of_process == 1 else "crowded", seconds)
            case BrokenProcessPool():
                return Outcome("not started", seconds)
            case ProcessExpired():
                return Outcome("died", seconds)
            case TimeoutError():
                return Outcome("late", seconds)
            case _:  # a function that calls sys.exit, for example
                return Outcome("error", seconds, describe(error))

    def _new_pool(self) -> ProcessPool:
        context = multiprocessing.get_context("spawn")
        limit = self._config.memory_limit_bytes
        if limit is not None:
            self._watch = MemoryWatch(limit, context)
        self._tasks_of_process = 0
        return ProcessPool(
            max_workers=1,
            initializer=prepare_process,
            initargs=(self._watch and self._watch.announce,),
            context=context,
        )
