"""Worker processes of a Dask cluster. Needs the extra ``cluster``; imported only when it is configured."""

import logging
import multiprocessing.process
from collections.abc import Generator, Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from queue import Empty, SimpleQueue

import dask
from distributed import Client, Future, KilledWorker, LocalCluster, as_completed, get_worker
from distributed.diagnostics.plugin import WorkerPlugin
from distributed.worker import Worker

from vidrep_pipelines.common.digest import digest_of
from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.fanout.errors import FanOutError
from vidrep_pipelines.fanout.job import Item
from vidrep_pipelines.fanout.journal import JournalWriter
from vidrep_pipelines.fanout.local_engine import stop_all
from vidrep_pipelines.fanout.pace import Pace
from vidrep_pipelines.fanout.settlement import Settlement, pack_all, pickled
from vidrep_pipelines.fanout.slot import Attempt, Outcome, Slot
from vidrep_pipelines.fanout.worker import Recipe, Status

_log = logging.getLogger(__name__)

_BATCHES_PER_THREAD = 2
"""One that is worked on and one that waits beside it, so that no worker waits for the scheduler."""

_SECONDS_PER_BATCH = 1.0
_LONGEST_BATCH = 64


class DaskEngine:
    """Worker processes of a Dask cluster: one on this machine, or the one at ``fanout.scheduler``.

    Every thread of a Dask worker has a process of its own for the items, so that a decoder that hangs,
    crashes or takes too much memory is killed there and neither the worker nor its other threads notice.
    Items travel in batches of about a second, and only a few batches per thread are with the scheduler at any
    time.

    Args:
        workers: Processes of a cluster on this machine.
        config: Address, limits and attempts.
    """

    def __init__(self, workers: int, config: FanOutConfig) -> None:
        self._workers = workers
        self._config = config

    def run(self, recipe: Recipe, items: Iterable[Item]) -> Generator[Status]:
        """See :class:`~vidrep_pipelines.fanout.engine.Engine`."""
        packed = pickled(recipe, "The job's function")
        name = f"vidrep-fanout-{digest_of(recipe.books.root)}"  # the next run in this folder replaces it
        with self._client() as client, JournalWriter(recipe.books.journals) as journal:
            client.register_plugin(Slots(packed, self._config), name=name)
            try:
                settlement = Settlement(recipe, journal, self._config)
                yield from _Dispatch(client, name, settlement).run(pack_all(items))
            finally:
                if client.status == "running":
                    client.unregister_worker_plugin(name)  # type: ignore[no-untyped-call]

    @contextmanager
    def _client(self) -> Iterator[Client]:
        scheduler = self._config.scheduler
        if scheduler is None:
            with (
                dask.config.set({"distributed.worker.daemon": False}),
                LocalCluster(  # type: ignore[no-untyped-call]
                    n_workers=self._workers,
                    threads_per_worker=1,
                    memory_limit=0,
                    dashboard_address=None,
                    silence_logs=logging.CRITICAL,
                ) as cluster,
                Client(cluster) as client,  # type: ignore[no-untyped-call]
            ):
                yield client
        else:
            with _connected(scheduler) as client:
                if not client.nthreads():
                    _log.info("waiting for the first worker of the Dask scheduler %s", scheduler)
                    client.wait_for_workers(1)
                yield client


def _connected(scheduler: str) -> Client:
    """A client of a scheduler that was started elsewhere; certificates for TLS are those of Dask's settings.

    Raises:
        FanOutError: There is no such scheduler, or it wants certificates.
    """
    try:
        if "://" in scheduler:
            return Client(scheduler)  # type: ignore[no-untyped-call]
        if not Path(scheduler).is_file():
            raise FanOutError(
                f"There is no Dask scheduler file {scheduler}. Remedy: set fanout.scheduler to an address "
                "such as tcp://10.0.0.1:8786 or to the file of `dask scheduler --scheduler-file`."
            )
        return Client(scheduler_file=scheduler)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise FanOutError(
            f"The Dask scheduler {scheduler} does not answer ({error}). Remedy: start it with "
            "`dask scheduler`, or correct fanout.scheduler."
        ) from error
    except TypeError as error:  # that is how Dask says that there are no certificates
        raise FanOutError(
            f"The Dask scheduler {scheduler} wants TLS, and Dask's settings name no certificates ({error}). "
            "Remedy: set DASK_DISTRIBUTED__COMM__TLS__CA_FILE, ..__CLIENT__CERT and ..__CLIENT__KEY "
            "(docs/fanout.md)."
        ) from error


class Slots(WorkerPlugin):
    """The processes in which a Dask worker works on items, one per thread, started when they are needed.

    Args:
        recipe: The pickled recipe.
        config: Limits.
    """

    def __init__(self, recipe: bytes, config: FanOutConfig) -> None:
        self._recipe = recipe
        self._config = config

    def setup(self, worker: Worker) -> None:
        """Called on each worker when the plugin or the worker is new."""
        _may_have_children()
        self._idle: SimpleQueue[Slot] = SimpleQueue()
        self._slots: list[Slot] = []

    def teardown(self, worker: Worker) -> None:
        """Kills the processes, and with them what they are working on."""
        stop_all(self._slots)

    def run(self, batch: Sequence[bytes]) -> list[Outcome]:
        """Does pickled items, one after the other."""
        try:
            slot = self._idle.get_nowait()
        except Empty:
            slot = Slot(self._recipe, self._config)
            self._slots.append(slot)
        outcomes: list[Outcome] = []
        for packed in batch:
            slot.start([packed])
            outcomes += slot.outcomes()
        self._idle.put(slot)
        return outcomes


def run_batch(plugin: str, batch: Sequence[bytes]) -> list[Outcome]:
    """What Dask runs on its worker."""
    slots = get_worker().plugins[plugin]
    assert isinstance(slots, Slots)
    return slots.run(batch)


def _may_have_children() -> None:
    """Lets this Dask worker start processes although its nanny may have started it as a daemon.

    Daemons may not, because they are killed without a chance to end their children. Ours end by themselves.
    It stays so: several threads start processes, whose turns at a switch would get mixed up.
    """
    settings = multiprocessing.process.current_process()._config  # type: ignore[attr-defined]
    settings.pop("daemon", None)


class _Dispatch:
    """Keeps a cluster busy with tasks."""

    def __init__(self, client: Client, plugin: str, settlement: Settlement) -> None:
        self._client, self._plugin, self._settlement = client, plugin, settlement
        self._running: dict[Hashable, list[Attempt]] = {}
        self._pace = Pace(_SECONDS_PER_BATCH, _LONGEST_BATCH)

    def run(self, fresh: Iterator[Attempt]) -> Generator[Status]:
        completed = as_completed()  # type: ignore[no-untyped-call]
        while True:
            for batch in self._batches(fresh):
                completed.add(self._submit(batch))  # type: ignore[no-untyped-call]
            if not self._running:
                return
            future = next(completed)
            batch = self._running.pop(future.key)
            for task, outcome in zip(batch, self._outcomes(future, batch), strict=True):
                self._pace.note(outcome.seconds)
                status = self._settlement.settle(task, outcome)
                if status is not None:
                    yield status

    def _batches(self, fresh: Iterator[Attempt]) -> Iterator[list[Attempt]]:
        """What may be with the scheduler; what is tried again travels alone, so that blame is clear."""
        threads = sum(self._client.nthreads().values())  # type: ignore[no-untyped-call]
        again = self._settlement.again
        while len(self._running) < _BATCHES_PER_THREAD * max(threads, 1):
            batch = [again.popleft()] if again else list(islice(fresh, self._pace.length()))
            if not batch:
                return
            yield batch

    def _submit(self, batch: list[Attempt]) -> "Future[list[Outcome]]":
        packed = [task.packed for task in batch]
        future = self._client.submit(run_batch, self._plugin, packed, pure=False)
        self._running[future.key] = batch
        return future

    def _outcomes(self, future: "Future[list[Outcome]]", batch: list[Attempt]) -> list[Outcome]:
        try:
            outcomes: list[Outcome] = future.result()
        except KilledWorker:  # several Dask workers died with the batch: which item did it?
            return [Outcome("died" if len(batch) == 1 else "crowded")] * len(batch)
        except Exception as error:
            raise FanOutError(
                f"The Dask cluster failed ({type(error).__name__}: {error}). Remedy: see the logs of its "
                "workers (do they have the same version of the package?), then run the same command again."
            ) from error
        return outcomes
