"""A worker process and the item that it is working on."""

import multiprocessing
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass

from pebble import ProcessPool

from vidrep_pipelines.fanout.job import Item
from vidrep_pipelines.fanout.worker import Status, prepare_process, run_task


@dataclass(frozen=True, slots=True)
class Task:
    """An item on its way to a worker.

    Attributes:
        item: The item.
        packed: The pickled item and attempt, as the worker gets it.
        attempt: 1 the first time.
    """

    item: Item
    packed: bytes
    attempt: int


class Slot:
    """One worker process that takes one task at a time, replaced when it dies or exceeds the deadline.

    The process is a pool of one: in a pool of several the processes share locks, so that one killed in the
    wrong microsecond stalls the others, and it is not always known which task a dead process had taken.

    Args:
        recipe: The pickled recipe.
        deadline_seconds: Longest time for a task.
        on_finish: Called with this slot, from another thread, when its task ended in whatever way.
    """

    def __init__(self, recipe: bytes, deadline_seconds: float, on_finish: "Callable[[Slot], None]") -> None:
        self._recipe = recipe
        self._deadline = deadline_seconds
        self._on_finish = on_finish
        self._pool: ProcessPool | None = None
        self._future: Future[Status] = Future()

    def start(self, task: Task) -> None:
        """Hands the task to the process; starts one if there is none."""
        self.task = task
        self._started = time.monotonic()
        if self._pool is not None and not self._pool.active:
            self.stop()
        if self._pool is None:
            self._pool = ProcessPool(
                max_workers=1, initializer=prepare_process, context=multiprocessing.get_context("spawn")
            )
        self._future = self._pool.schedule(run_task, args=(self._recipe, task.packed), timeout=self._deadline)
        self._future.add_done_callback(lambda _: self._on_finish(self))

    def error(self) -> BaseException | None:
        """What went wrong with the process or in it; the item's own errors are statuses, not errors."""
        return self._future.exception()

    def status(self) -> Status:
        """How the task ended when there was no error."""
        return self._future.result()

    def elapsed_seconds(self) -> float:
        """Time since the task was handed over."""
        return time.monotonic() - self._started

    def stop(self) -> None:
        """Kills the process; the next task starts a new one."""
        if self._pool is not None:
            self._pool.stop()
            self._pool.join()
            self._pool = None
