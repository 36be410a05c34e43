"""Engines: who applies the function to the items, and what happens when a process hangs or dies."""

import os
import pickle
from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from queue import SimpleQueue
from typing import Any, Protocol

from pebble import ProcessExpired

from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.fanout.errors import FanOutError
from vidrep_pipelines.fanout.job import Item
from vidrep_pipelines.fanout.journal import JournalWriter
from vidrep_pipelines.fanout.slot import Slot, Task
from vidrep_pipelines.fanout.worker import Recipe, Status, describe, execute, record_failure

_START_FAILURES = 5
"""Worker processes that may die in a row before they took an item; more means that none can start."""


class Engine(Protocol):
    """Applies a recipe to items. Results go into journals; the statuses are only for the progress bar."""

    def run(self, recipe: Recipe, items: Iterable[Item]) -> Generator[Status]:
        """Yields once per finished item, in any order. Closing the iterator stops all work at once.

        Raises:
            FanOutError: The job cannot go on (full disk, function that no process can import).
        """


def engine_for(config: FanOutConfig, items: int) -> Engine:
    """The engine that the configuration names, with no more workers than there are items."""
    if config.engine == "serial":
        return SerialEngine()
    return LocalEngine(min(config.workers or usable_processors(), max(items, 1)), config)


def usable_processors() -> int:
    """Processors that this process may run on (batch systems give less than the machine has)."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class SerialEngine:
    """One item after the other in this process. A crash or a hang of an item is one of the whole run."""

    def run(self, recipe: Recipe, items: Iterable[Item]) -> Generator[Status]:
        """See :class:`Engine`."""
        with JournalWriter(recipe.books.journals) as journal:
            for item in items:
                yield execute(recipe, journal, item)


class LocalEngine:
    """Worker processes on this machine.

    An item that outlives the deadline is killed with its worker and fails. When a worker dies, only the item
    that it was working on is affected: it is tried again, and given up after ``attempts`` deaths.

    Args:
        workers: Number of processes.
        config: Deadline and attempts.
    """

    def __init__(self, workers: int, config: FanOutConfig) -> None:
        self._workers = workers
        self._config = config

    def run(self, recipe: Recipe, items: Iterable[Item]) -> Generator[Status]:
        """See :class:`Engine`."""
        packed = _pickled(recipe, "The job's function")
        finished: SimpleQueue[Slot] = SimpleQueue()
        slots = [Slot(packed, self._config.deadline_seconds, finished.put) for _ in range(self._workers)]
        try:
            with JournalWriter(recipe.books.journals) as journal:
                yield from _Round(recipe, journal, self._config).run(items, slots, finished)
        finally:
            with ThreadPoolExecutor(
                len(slots)
            ) as threads:  # killing a hung worker takes seconds: all at once
                list(threads.map(Slot.stop, slots))


class _Round:
    """The bookkeeping of one run of the local engine."""

    def __init__(self, recipe: Recipe, journal: JournalWriter, config: FanOutConfig) -> None:
        self._recipe, self._journal, self._config = recipe, journal, config
        self._again: deque[Task] = deque()
        self._start_failures = 0

    def run(
        self, items: Iterable[Item], slots: list[Slot], finished: "SimpleQueue[Slot]"
    ) -> Generator[Status]:
        """Keeps every slot busy; never holds more tasks than there are slots."""
        fresh = (Task(item, _pickled((item, 1), f"The payload of {item.id!r}"), 1) for item in items)
        idle = list(slots)
        while True:
            while idle and (task := self._again.popleft() if self._again else next(fresh, None)) is not None:
                idle.pop().start(task)
            if len(idle) == len(slots):
                return
            slot = finished.get()
            status = self._settle(slot)
            idle.append(slot)
            if status is not None:
                yield status

    def _settle(self, slot: Slot) -> Status | None:
        """The status of the slot's task, or none when the task goes back into the queue."""
        error = slot.error()
        if not isinstance(error, BrokenProcessPool):
            self._start_failures = 0
        match error:
            case None:
                return slot.status()
            case FanOutError():
                raise error
            case BrokenProcessPool():
                self._start_failed(slot)
                return None
            case ProcessExpired():
                return self._died(slot)
            case TimeoutError():
                limit = self._config.deadline_seconds
                return self._failed(
                    slot, f"stopped after {limit:g} seconds (fanout.deadline_seconds); hanging decoder?"
                )
            case _:  # a function that calls sys.exit, for example
                return self._failed(slot, describe(error))

    def _died(self, slot: Slot) -> Status | None:
        slot.stop()
        task = slot.task
        if task.attempt < self._config.attempts:
            packed = _pickled((task.item, task.attempt + 1), f"The payload of {task.item.id!r}")
            self._again.append(Task(task.item, packed, task.attempt + 1))
            return None
        times = "once" if task.attempt == 1 else f"{task.attempt} times"
        return self._failed(
            slot, f"the worker process died {times} on this item (crashing decoder?); quarantined"
        )

    def _start_failed(self, slot: Slot) -> None:
        """The process died before it told that it took the task, so the task is not blamed."""
        slot.stop()
        self._start_failures += 1
        if self._start_failures > _START_FAILURES:
            raise FanOutError(
                "Worker processes die as soon as they start; see their error output above. Remedy: guard the "
                'main module with `if __name__ == "__main__":`, or use fanout.engine=serial.'
            )
        self._again.append(slot.task)

    def _failed(self, slot: Slot, reason: str) -> Status:
        task = slot.task
        record_failure(self._recipe, self._journal, task.item, reason, task.attempt, slot.elapsed_seconds())
        return "failed"


def _pickled(value: Any, what: str) -> bytes:
    try:
        return pickle.dumps(value)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise FanOutError(
            f"{what} cannot be sent to a worker process ({error}). "
            "Remedy: use a top-level function and plain data, or fanout.engine=serial."
        ) from error
