"""Engines: who applies the function to the items."""

import logging
import os
from collections.abc import Generator, Iterable
from typing import Protocol

from vidrep_pipelines.common.extras import require_extra
from vidrep_pipelines.common.open_files import descriptor_limit, most_with_descriptors
from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.fanout.job import Item
from vidrep_pipelines.fanout.journal import JournalWriter
from vidrep_pipelines.fanout.local_engine import LocalEngine
from vidrep_pipelines.fanout.worker import Recipe, Status, execute

_DESCRIPTORS_PER_WORKER = 8
"""Pipes and locks between the driver and one worker process."""

_log = logging.getLogger(__name__)


class Engine(Protocol):
    """Applies a recipe to items. Results go into journals; the statuses are only for the progress bar."""

    def run(self, recipe: Recipe, items: Iterable[Item]) -> Generator[Status]:
        """Yields once per finished item, in any order. Closing the iterator stops all work at once.

        Raises:
            FanOutError: The job cannot go on (full disk, function that no process can import).
        """


def engine_for(config: FanOutConfig, items: int) -> Engine:
    """The engine that the configuration names, with no more workers than there are items.

    Raises:
        MissingExtraError: The engine needs a library that is not installed.
    """
    workers = _with_descriptors(min(config.workers or usable_processors(), max(items, 1)))
    match config.engine:
        case "serial":
            return SerialEngine()
        case "local":
            return LocalEngine(workers, config)
        case "dask":
            require_extra("distributed", "cluster")
            from vidrep_pipelines.fanout.dask_engine import DaskEngine  # noqa: PLC0415

            return DaskEngine(workers, config)


def _with_descriptors(workers: int) -> int:
    """No more workers than this process may have pipes to."""
    most = most_with_descriptors(_DESCRIPTORS_PER_WORKER)
    if workers > most:
        text = (
            "This process may have %d files open, which is enough for %d of %d workers. Remedy: ulimit -n %d"
        )
        _log.warning(text, descriptor_limit(), most, workers, 2 * _DESCRIPTORS_PER_WORKER * workers)
    return min(workers, most)


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
