"""What happens to one item, in whichever process: compute, publish, record.

Imported first thing in every worker process, so it imports nothing heavy: numeric libraries read the number
of threads from the environment when they load, which has to be set before.
"""

import functools
import math
import os
import pickle
import secrets
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Literal

from vidrep_pipelines.common.atomic import publish_file
from vidrep_pipelines.common.digest import digest_of_file
from vidrep_pipelines.common.errors import VidrepError
from vidrep_pipelines.common.lifeline import die_with_parent
from vidrep_pipelines.fanout.bookkeeping import Bookkeeping
from vidrep_pipelines.fanout.errors import DiskFullError, FanOutError, is_disk_full
from vidrep_pipelines.fanout.job import Item, ItemFunction, Job, PartialFacts, Scalar
from vidrep_pipelines.fanout.journal import JournalRow, JournalWriter

Status = Literal["ok", "failed"]

ROW_FIELDS = ("id", "status", "error", "seconds", "bytes", "digest", "attempts", "checksums")
"""Columns of every manifest; facts may not have these names."""

_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
_LONGEST_ERROR = 2000


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a worker needs to know about the job: small, and the same for all items."""

    function: ItemFunction
    suffixes: tuple[str, ...]
    books: Bookkeeping
    run: str

    @classmethod
    def of(cls, job: Job, books: Bookkeeping) -> "Recipe":
        """The recipe of one run; the random ``run`` keeps different runs in the same folder apart."""
        return cls(job.function, job.suffixes, books, secrets.token_hex(4))

    def products(self, item_id: str) -> dict[str, Path]:
        """The final path of every product of an item."""
        return {suffix: self.books.folder / f"{item_id}{suffix}" for suffix in self.suffixes}


def execute(recipe: Recipe, journal: JournalWriter, item: Item, attempt: int = 1) -> Status:
    """Computes an item, moves its products into place, then records it with one journal line.

    Raises:
        DiskFullError: There is no space for the products; the item counts as not tried.
        FanOutError: The run is over, or another one took over; nothing was touched.
    """
    started = time.monotonic()
    outputs = {
        suffix: recipe.books.temporary / f"{secrets.token_hex(8)}{suffix}" for suffix in recipe.suffixes
    }
    try:
        facts = _checked_facts(recipe.function(item.payload, outputs))
        _check_claim(recipe)
        published = _publish(outputs, recipe.products(item.id))
        seconds = time.monotonic() - started
        lacking = facts.reason[:_LONGEST_ERROR] if isinstance(facts, PartialFacts) else None
        journal.append(_row(item, "ok", attempt, seconds, error=lacking, published=published, facts=facts))
    except _RunIsOverError:
        raise
    except Exception as error:
        if is_disk_full(error):
            raise DiskFullError.at(recipe.books.folder) from error
        _check_claim(recipe)
        record_failure(recipe, journal, item, describe(error), attempt, time.monotonic() - started)
        return "failed"
    finally:
        for temporary in outputs.values():
            temporary.unlink(missing_ok=True)
    return "ok"


class _RunIsOverError(FanOutError):
    """Nobody waits for this item any more."""


def _check_claim(recipe: Recipe) -> None:
    """Stops a worker that has outlived its driver: it must not disturb the run that goes on in its place."""
    if not recipe.books.is_claimed_by(recipe.run):
        raise _RunIsOverError(f"The run that this worker belongs to is over ({recipe.books.folder}).")


def record_failure(
    recipe: Recipe, journal: JournalWriter, item: Item, reason: str, attempts: int, seconds: float
) -> None:
    """Records a failed item and removes products that an earlier version of it may have left."""
    for path in recipe.products(item.id).values():
        with suppress(OSError):  # a name that is too long, or that of a folder: then nothing was left either
            path.unlink(missing_ok=True)
    try:
        journal.append(_row(item, "failed", attempts, seconds, error=reason))
    except OSError as error:
        raise DiskFullError.at(recipe.books.folder) from error


def describe(error: BaseException) -> str:
    """The reason given in the manifest: our own messages speak for themselves, others need their type."""
    text = str(error) if isinstance(error, VidrepError) else f"{type(error).__name__}: {error}"
    return text.strip()[:_LONGEST_ERROR].encode("utf-8", "replace").decode()


def run_tasks(recipe: bytes, tasks: Sequence[bytes], seconds: float) -> tuple[list[Status], float]:
    """Entry point in a worker process.

    Args:
        recipe: A pickled recipe.
        tasks: Pickled pairs of item and attempt; at least the first is done.
        seconds: No further item is begun after so long.

    Returns:
        The statuses of those that were done, the first of ``tasks``, and the seconds that they took.
    """
    loaded = _load_recipe(recipe)
    journal, started = _journal_of(loaded.books, loaded.run), time.monotonic()
    statuses: list[Status] = []
    for task in tasks:
        if statuses and time.monotonic() - started > seconds:
            break
        item, attempt = pickle.loads(task)
        statuses.append(execute(loaded, journal, item, attempt))
    return statuses, time.monotonic() - started


def prepare_process(announce: Connection | None = None) -> None:
    """Called once in a new worker process: one thread per numeric library, and no life without the driver.

    Args:
        announce: Where to send the number of this process.
    """
    for name in _THREAD_VARIABLES:
        os.environ[name] = "1"
    die_with_parent()
    if announce is not None:
        announce.send(os.getpid())


@functools.lru_cache(maxsize=4)
def _load_recipe(recipe: bytes) -> Recipe:
    try:
        loaded: Recipe = pickle.loads(recipe)
    except Exception as error:
        raise FanOutError(
            f"A worker process cannot import the job's function ({type(error).__name__}: {error}). "
            "Remedy: define it at the top level of an importable module."
        ) from error
    return loaded


@functools.lru_cache(maxsize=4)
def _journal_of(books: Bookkeeping, run: str) -> JournalWriter:
    """The journal of this process for that run."""
    return JournalWriter(books.journals)


@dataclass(frozen=True, slots=True)
class _Published:
    """Size of all products of an item in bytes, and the digest of each, in the order of the suffixes."""

    bytes: int = 0
    checksums: str | None = None


def _publish(outputs: Mapping[str, Path], products: Mapping[str, Path]) -> _Published:
    """Moves all products into place. They are read once more, while the system still has them in memory."""
    for suffix, temporary in outputs.items():
        if not temporary.is_file():
            raise FanOutError(f"The item's function wrote no {suffix} product.")
    size = sum(temporary.stat().st_size for temporary in outputs.values())
    checksums = " ".join(map(digest_of_file, outputs.values()))
    for suffix, temporary in outputs.items():
        products[suffix].parent.mkdir(parents=True, exist_ok=True)
        publish_file(temporary, products[suffix])
    return _Published(size, checksums or None)


def _row(
    item: Item,
    status: Status,
    attempts: int,
    seconds: float,
    *,
    error: str | None = None,
    published: _Published = _Published(),
    facts: Mapping[str, Scalar] | None = None,
) -> JournalRow:
    size, checksums = published.bytes, published.checksums
    values = (item.id, status, error, round(seconds, 6), size, item.digest, attempts, checksums)
    row = dict(zip(ROW_FIELDS, values, strict=True))
    return {**row, "facts": dict(facts or {})}


def _checked_facts(facts: Mapping[str, Scalar]) -> dict[str, Scalar]:
    """Facts as plain scalars that a table can hold."""
    if not isinstance(facts, Mapping):
        raise FanOutError(
            f"The item's function returned {type(facts).__name__} instead of a mapping of facts."
        )
    taken = set(facts) & set(ROW_FIELDS)
    if taken:
        raise FanOutError(f"Facts may not be called {sorted(taken)}: the manifest uses these names itself.")
    checked = {str(name): _scalar(str(name), value) for name, value in facts.items()}
    return PartialFacts(checked, facts.reason) if isinstance(facts, PartialFacts) else checked


def _scalar(name: str, value: object) -> Scalar:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, float):
        return None if math.isnan(value) else float(value)
    if isinstance(value, int) and -(2**63) <= value < 2**63:
        return int(value)
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:  # NumPy scalars
        return _scalar(name, value.item())
    raise FanOutError(f"Fact {name!r} is no text, 64-bit integer, float, truth value or none: {value!r:.80}.")
