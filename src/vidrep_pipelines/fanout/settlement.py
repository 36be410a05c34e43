"""What follows from the way in which a task ended: a status, another attempt, or the end of the job."""

import pickle
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.fanout.errors import FanOutError
from vidrep_pipelines.fanout.job import Item
from vidrep_pipelines.fanout.journal import JournalWriter
from vidrep_pipelines.fanout.slot import Attempt, Outcome
from vidrep_pipelines.fanout.worker import Recipe, Status, record_failure

_START_FAILURES = 5
"""Worker processes that may die in a row before they took an item; more means that none can start."""


class Settlement:
    """Decides about finished tasks, the same for every engine that has worker processes.

    Args:
        recipe: What the workers do.
        journal: Takes failures that the worker itself cannot record.
        config: Limits and attempts.

    Attributes:
        again: Tasks that have to be done once more.
    """

    def __init__(self, recipe: Recipe, journal: JournalWriter, config: FanOutConfig) -> None:
        self._recipe, self._journal, self._config = recipe, journal, config
        self._start_failures = 0
        self.again: deque[Attempt] = deque()

    def settle(self, task: Attempt, outcome: Outcome) -> Status | None:
        """The status of the task's item, or none when the task goes back into the queue.

        Raises:
            FanOutError: The job cannot go on.
        """
        if outcome.end != "not started":
            self._start_failures = 0
        match outcome.end:
            case "ok" | "failed":
                return outcome.end
            case "fatal":
                raise outcome.error or FanOutError(outcome.text)
            case "not started":
                self._start_failed(task)
                return None
            case "crowded":
                self.again.append(task)
                return None
            case "died":
                return self._died(task, outcome)
            case _:
                return self._failed(task, outcome, self._reason(outcome))

    def _reason(self, outcome: Outcome) -> str:
        match outcome.end:
            case "late":
                limit = self._config.deadline_seconds
                return f"stopped after {limit:g} seconds (fanout.deadline_seconds); hanging decoder?"
            case "memory":
                limit_text = self._config.memory_limit
                return f"stopped because it needs more memory than {limit_text} (fanout.memory_limit)"
            case _:
                return outcome.text

    def _died(self, task: Attempt, outcome: Outcome) -> Status | None:
        if task.attempt < self._config.attempts:
            self.again.append(pack(task.item, task.attempt + 1))
            return None
        times = "once" if task.attempt == 1 else f"{task.attempt} times"
        reason = f"the worker process died {times} on this item (crashing decoder?); quarantined"
        return self._failed(task, outcome, reason)

    def _start_failed(self, task: Attempt) -> None:
        """The process died before it told that it took the task, so the task is not blamed."""
        self._start_failures += 1
        if self._start_failures > _START_FAILURES:
            raise FanOutError(
                "Worker processes die as soon as they start; see their error output above. Remedy: guard the "
                'main module with `if __name__ == "__main__":`, or use fanout.engine=serial.'
            )
        self.again.append(task)

    def _failed(self, task: Attempt, outcome: Outcome, reason: str) -> Status:
        record_failure(self._recipe, self._journal, task.item, reason, task.attempt, outcome.seconds)
        return "failed"


def pack(item: Item, attempt: int = 1) -> Attempt:
    """The item, ready to be sent."""
    return Attempt(item, pickled((item, attempt), f"The payload of {item.id!r}"), attempt)


def pack_all(items: Iterable[Item]) -> Iterator[Attempt]:
    """The items one after the other, each packed when it is asked for."""
    return map(pack, items)


def pickled(value: Any, what: str) -> bytes:
    """Bytes for another process.

    Raises:
        FanOutError: The value cannot be sent.
    """
    try:
        return pickle.dumps(value)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise FanOutError(
            f"{what} cannot be sent to a worker process ({error}). "
            "Remedy: use a top-level function and plain data, or fanout.engine=serial."
        ) from error
