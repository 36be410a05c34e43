"""Worker processes on this machine."""

from collections.abc import Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from queue import Empty, SimpleQueue

from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.fanout.job import Item
from vidrep_pipelines.fanout.journal import JournalWriter
from vidrep_pipelines.fanout.settlement import Settlement, pack_all, pickled
from vidrep_pipelines.fanout.slot import LOOK_SECONDS, Attempt, Slot
from vidrep_pipelines.fanout.worker import Recipe, Status


class LocalEngine:
    """Worker processes on this machine.

    An item that outlives the deadline is killed with its worker and fails. When a worker dies, only the item
    that it was working on is affected: it is tried again, and given up after ``attempts`` deaths.

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
    """Keeps every slot busy; never holds more tasks than there are slots."""
    fresh, again = pack_all(items), settlement.again
    idle, busy = list(slots), dict[Slot, Attempt]()
    while True:
        while idle and (task := again.popleft() if again else next(fresh, None)) is not None:
            slot = idle.pop()
            busy[slot] = task
            slot.start(task.packed)
        if not busy:
            return
        slot = _next(finished, busy)
        status = settlement.settle(busy.pop(slot), slot.outcome())
        idle.append(slot)
        if status is not None:
            yield status


def _next(finished: "SimpleQueue[Slot]", busy: dict[Slot, Attempt]) -> Slot:
    """The slot whose task ended next; makes those whose pool has broken say so."""
    while True:
        try:
            return finished.get(timeout=LOOK_SECONDS)
        except Empty:
            for slot in busy:
                slot.ended(0)
