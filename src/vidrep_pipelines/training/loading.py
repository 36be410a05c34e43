"""The micro-batches of a training process. The processes that read them end with it, however it ends."""

import multiprocessing
import platform
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from multiprocessing import connection
from multiprocessing.process import BaseProcess
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler, default_collate, get_worker_info

from vidrep_pipelines.common.errors import ConfigurationError, VidrepError
from vidrep_pipelines.common.lifeline import die_with_parent
from vidrep_pipelines.training.config import LaunchConfig
from vidrep_pipelines.training.errors import Failure, LoaderWorkerLostError
from vidrep_pipelines.training.interruption import ignore_stop_signals
from vidrep_pipelines.training.order import ItemKey

_SECONDS_TO_END = 2.0
"""A worker that is asked to end finishes the batch that it is reading, if that takes no longer."""

_SECONDS_TO_DIE = 5.0
"""A connection breaks a moment before the process at its other end is gone."""

_SHARED_MEMORY_REMEDY = (
    "Set launch.loader_workers=0, so that batches need no shared memory, or give the machine more of it "
    "(/dev/shm; a container has 64 MB unless started with, for example, --shm-size=8g)."
)


@contextmanager
def loaded_batches(
    dataset: Dataset[Any], sampler: Sampler[list[ItemKey]], launch: LaunchConfig, seed: int, *, pin: bool
) -> Iterator[Iterator[Mapping[str, Any]]]:
    """Gives the collated micro-batches that ``sampler`` lists, in its order.

    Whatever passes through the ``with`` statement, no worker is left when it ends: the interpreter would wait
    for one at its exit.

    Args:
        dataset: Asked for one item at a time, by (epoch, index).
        sampler: Lists the items of each micro-batch.
        launch: Number of workers and what each prepares in advance.
        seed: Seeds the global generators of the workers.
        pin: Whether batches go to page-locked memory, on their way to a GPU.

    Raises:
        VidrepError: What the data set raised, in whichever process.
        ConfigurationError: Shared memory is too small for the workers.
        LoaderWorkerLostError: A worker died.
    """
    loader: DataLoader[Any] = DataLoader(
        _TellingDataset(dataset),
        batch_sampler=sampler,
        num_workers=launch.loader_workers,
        collate_fn=_collate,
        prefetch_factor=launch.prefetch_factor if launch.loader_workers else None,
        multiprocessing_context=_start_method() if launch.loader_workers else None,
        worker_init_fn=_prepare_worker,
        pin_memory=pin,
        generator=torch.Generator().manual_seed(seed),
    )
    workers = _Workers()
    try:
        yield workers.batches(loader)
    except RuntimeError as error:  # torch's own; a worker's death raises it wherever this process is
        explained = _explanation(error)
        if explained is None:
            raise
        raise explained from error
    finally:
        workers.end()


class _Workers:
    """The processes of one data loader."""

    def __init__(self) -> None:
        self._iterators: list[Any] = []
        self._processes: list[BaseProcess] = []

    def batches(self, loader: DataLoader[Any]) -> Iterator[Mapping[str, Any]]:
        """Starts the workers, and gives what they read."""
        before = set(multiprocessing.active_children())
        try:
            self._iterators.append(iter(loader))
        finally:  # also when only some could be started
            started = multiprocessing.active_children()
            self._processes.extend(process for process in started if process not in before)
        return self._read(self._iterators[0])

    def _read(self, batches: Iterator[Any]) -> Iterator[Mapping[str, Any]]:
        while True:
            try:
                batch = next(batches)
            except StopIteration:
                return
            except (OSError, EOFError) as error:  # also what the other end of a broken connection sees
                if self._has_died():
                    raise _lost(type(error).__name__) from error
                raise
            if isinstance(batch, Failure):
                raise batch.as_exception()
            yield batch

    def _has_died(self) -> bool:
        gone = connection.wait([process.sentinel for process in self._processes], _SECONDS_TO_DIE)
        for process in self._processes:
            if process.sentinel in gone:
                process.join()  # what it had open closes a moment before it has an exit code
        return any(process.exitcode for process in self._processes)

    def end(self) -> None:
        """Asks the workers to end, and kills those that do not listen: they may be stuck in a broken file."""
        while self._processes:
            try:
                with _deaths_unnoticed():
                    self._end()
            except RuntimeError as error:  # a death was noticed just before they went unnoticed
                if _explanation(error) is None:
                    raise

    def _end(self) -> None:
        impatience = threading.Timer(_SECONDS_TO_END, self._kill)
        impatience.start()
        try:
            for iterator in self._iterators:
                # What the iterator's destructor calls. That is too late here: the traceback of an exception
                # that came out of the iterator keeps it alive.
                with suppress(OSError):
                    iterator._shutdown_workers()
        finally:
            impatience.cancel()
            self._kill()
            for process in self._processes:
                process.join()
        self._processes.clear()

    def _kill(self) -> None:
        for process in self._processes:
            process.kill()


@contextmanager
def _deaths_unnoticed() -> Iterator[None]:
    """Torch raises an exception from a signal handler when a worker dies that has not ended by itself."""
    former = signal.getsignal(signal.SIGCHLD)
    if threading.current_thread() is not threading.main_thread() or former is None:
        yield
        return
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGCHLD, former)


class _TellingDataset(Dataset[Any]):
    """Hands our own errors on as values: torch would put a worker's traceback in place of their message.

    In the training process itself they are raised where they happen.
    """

    def __init__(self, dataset: Dataset[Any]) -> None:
        self._dataset = dataset

    def __getitems__(self, keys: list[ItemKey]) -> list[Any] | Failure:
        """The items of a micro-batch, or why there are none."""
        try:
            return [self._dataset[key] for key in keys]
        except VidrepError as error:
            if get_worker_info() is None:
                raise
            return Failure.of(error)


def _collate(items: list[Any] | Failure) -> Any:
    if isinstance(items, Failure):
        return items
    batch = default_collate(items)
    if get_worker_info() is not None:
        _share(batch)
    return batch


def _share(batch: Any) -> None:
    """Moves a nest of tensors to shared memory.

    The queue to the training process would do it, too, but loses a batch for which there is no space, without
    a word to the training process, which would wait for it for ever.
    """
    if isinstance(batch, Tensor):
        batch.share_memory_()  # type: ignore[no-untyped-call]
    elif isinstance(batch, Mapping):
        _share(list(batch.values()))
    elif isinstance(batch, list | tuple):
        for value in batch:
            _share(value)


def _explanation(error: RuntimeError) -> VidrepError | None:
    """Says what torch's complaint about a worker means for the person who started the run."""
    text = str(error)
    no_space = "No space left on device" in text and ("torch_" in text or "shm" in text)
    if no_space or "Bus error" in text:
        return ConfigurationError(
            f"Shared memory is too small for batches from other processes. {_SHARED_MEMORY_REMEDY}"
        )
    if text.startswith("DataLoader worker (pid"):
        return _lost(text.splitlines()[0].rstrip(". "))
    return None


def _lost(what: str) -> LoaderWorkerLostError:
    return LoaderWorkerLostError(
        f"A process that reads data died ({what}). If it was killed for want of memory, lower "
        "launch.loader_workers or launch.prefetch_factor; with launch.loader_workers=0 the training process "
        "reads, and a fault in reading shows where it happens."
    )


def _prepare_worker(worker: int) -> None:
    """A signal to the whole process group must not end a worker before the training process is done.

    It ends when that asks it to, or is gone.
    """
    del worker
    ignore_stop_signals()
    die_with_parent()


def _start_method() -> str | None:
    """Forked workers start at once. A spawned training process would otherwise spawn its workers, too."""
    return "fork" if platform.system() == "Linux" else None
