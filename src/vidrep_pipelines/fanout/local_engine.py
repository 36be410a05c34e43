"""Worker processes on this machine."""

from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, islice
from queue import Empty, SimpleQueue

from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.fanout.job import Item
from vidrep_pipelines.fanout.journal import JournalWriter
from vidrep_pipelines.fanout.pace import Pace
from vidrep_pipelines.fanout.settlement import Settlement, pack_all, pickled
from vidrep_pipelines.fanout.slot import BATCH_SECONDS, LOOK_SECONDS, Attempt, Slot
from vidrep_pipelines.fanout.worker import Recipe, Status

_LONGEST_BATCH = 256


class LocalEngine:
    """Worker processes on this machine.

    Items of milliseconds travel together, so that a trivial one does not cost its way to the worker.

    An item that outlives the deadline is killed with its worker and fails. When a worker dies, only the item
    that it was working on is affected: it is tried again, and given up after ``attempts`` deaths. Of items
    that travelled together each is tried alone first.

    Args:
        workers: Number of processes.
        config: Limits and attempts.
    """

    def __init__(self, workers: int, config: FanOutConfig) -> None:
        self._workers = workers
        self._config = config

    def run(self, recipe: Recipe, items: Iterable[Item]) -> Generator[Status]:
        """See :class:`~vidrep_pipelines.fanout.engine.Engine`."""
        packed = pickled(recipe, "The job's function")
        finished: SimpleQueue[Slot] = SimpleQueue()
        slots = [Slot(packed, self._config, finished.put) for _ in range(self._workers)]
        try:
            with JournalWriter(recipe.books.journals) as journal:
                yield from _work(items, slots, finished, Settlement(recipe, journal, self._config))
        finally:
            stop_all(slots)


def stop_all(slots: list[Slot]) -> None:
    """Kills the processes of all slots at once: killing a hung one takes seconds."""
    if slots:
        with ThreadPoolExecutor(len(slots)) as threads:
            list(threads.map(Slot.stop, slots))


def _work(
    items: Iterable[Item], slots: list[Slot], finished: "SimpleQueue[Slot]", settlement: Settlement
) -> Generator[Status]:
    """Keeps every slot busy; never holds more batches than there are slots."""
    queue = _Queue(items, settlement.again)
    idle, busy = list(slots), dict[Slot, list[Attempt]]()
    while True:
        while idle and (batch := queue.next()):
            slot = idle.pop()
            busy[slot] = batch
            slot.start([task.packed for task in batch])
        if not busy:
            return
        slot = _next(finished, busy)
        batch, outcomes = busy.pop(slot), slot.outcomes()
        queue.pace.note(sum(outcome.seconds for outcome in outcomes), len(outcomes))
        queue.left.extend(batch[len(outcomes) :])
        idle.append(slot)
        for task, outcome in zip(batch, outcomes, strict=False):
            status = settlement.settle(task, outcome)
            if status is not None:
                yield status


class _Queue:
    """What is still to do, in batches.

    Args:
        items: All items.
        again: What is tried again; it travels alone, so that blame is clear.
    """

    def __init__(self, items: Iterable[Item], again: deque[Attempt]) -> None:
        self._fresh, self._again = pack_all(items), again
        self.left: deque[Attempt] = deque()
        self.pace = Pace(BATCH_SECONDS, _LONGEST_BATCH)

    def next(self) -> list[Attempt]:
        """The next batch; empty when there is nothing at the moment."""
        if self._again:
            return [self._again.popleft()]
        left = (self.left.popleft() for _ in range(len(self.left)))
        return list(islice(chain(left, self._fresh), self.pace.length()))


def _next(finished: "SimpleQueue[Slot]", busy: dict[Slot, list[Attempt]]) -> Slot:
    """The slot whose batch ended next; makes those whose pool has broken say so."""
    while True:
        try:
            return finished.get(timeout=LOOK_SECONDS)
        except Empty:
            for slot in busy:
                slot.ended(0)
