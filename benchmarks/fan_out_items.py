"""A hundred thousand trivial items, each recorded: the fan-out against pools that are handed them."""

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import lru_cache
from itertools import count
from multiprocessing import get_context
from pathlib import Path

from benchmarks.peers import Peer, check_equal, compare, with_peer
from benchmarks.timing import Clock, Result, Work
from vidrep_pipelines.fanout.bookkeeping import Bookkeeping
from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.fanout.item_table import ItemTable
from vidrep_pipelines.fanout.job import Job
from vidrep_pipelines.fanout.journal import JournalWriter, journal_files, read_journal
from vidrep_pipelines.fanout.manifest import read_manifest
from vidrep_pipelines.fanout.runner import complete_job

ITEMS, WORKERS, ROUNDS = 100_000, 2, 2
HOW = (
    f"{{clock}} per item of {ITEMS} items that square a number, {WORKERS} processes that start with the job, "
    f"interleaved, medians of {ROUNDS} rounds; ours: records read, every item recorded by its worker, "
    "records read again, manifest written; reference: a process pool of Python that is handed item after "
    "item, whose workers write the same records, which nobody reads"
)
CLOCKS: dict[str, tuple[Clock, str]] = {
    "fan_out_items": (time.perf_counter, "time"),
    "fan_out_driver": (time.process_time, "CPU time of the driver"),
}
NO_MANIFEST = (
    "it hands back results and forgets them; ours gives back a table that says of each item what became of "
    "it, read from the workers' records twice, by which the next run knows what is left"
)


def run() -> dict[str, Result]:
    with tempfile.TemporaryDirectory() as name:
        folders = (Path(name, str(number)) for number in count())
        return {result: _measure(folders, clock, words) for result, (clock, words) in CLOCKS.items()}


def square(payload: int, outputs: Mapping[str, Path]) -> dict[str, int]:
    return {"square": payload * payload}


def our_job(items: int, folder: Path) -> None:
    """All items by the fan-out."""
    table = ItemTable.of((f"item_{number:06}" for number in range(items)), ["0"] * items, int)
    complete_job(Job("squares", square, table, (), FanOutConfig(engine="local", workers=WORKERS)), folder)


def recorded(number: int, folder: Path) -> int:
    """The same item with the same record, for any pool."""
    started = time.monotonic()
    facts = square(number, {})
    row = {"id": f"item_{number:06}", "status": "ok", "error": None, "bytes": 0, "digest": "0", "attempts": 1}
    _journal(folder).append({**row, "seconds": time.monotonic() - started, "facts": facts})
    return facts["square"]


@lru_cache(maxsize=1)
def _journal(folder: Path) -> JournalWriter:
    return JournalWriter(folder)


def _measure(folders: Iterator[Path], clock: Clock, words: str) -> Result:
    comparison = compare(
        lambda: our_job(ITEMS, next(folders)),
        lambda: pooled(ITEMS, next(folders)),
        [Peer("joblib", "loky, with batches as it chooses them", lambda: _joblib(folders), NO_MANIFEST)],
        ROUNDS,
        clock,
    )
    medians, each = comparison.medians, 1e6 / ITEMS
    result = Result(
        ratio=medians.ratio,
        ours=medians.ours * each,
        reference=medians.reference * each,
        unit="microseconds per item",
        how=HOW.format(clock=words),
    )
    return with_peer(result, comparison.rivals)


def pooled(items: int, folder: Path) -> list[int]:
    """All items by Python's pool, one after the other."""
    with ProcessPoolExecutor(WORKERS, mp_context=get_context("spawn")) as pool:
        return list(pool.map(recorded, range(items), [folder] * items))


def _joblib(folders: Iterator[Path]) -> Work:
    from joblib import Parallel, delayed  # noqa: PLC0415
    from joblib.externals.loky import get_reusable_executor  # noqa: PLC0415

    def squares(items: int, folder: Path) -> list[int]:
        with _ended_after(lambda: get_reusable_executor().shutdown()):
            found: list[int] = Parallel(n_jobs=WORKERS, backend="loky")(
                delayed(recorded)(number, folder) for number in range(items)
            )
        return found

    folder = next(folders)
    check_equal("joblib", squares(20, folder), [row["square"] for row in our_facts(20, next(folders))])
    check_equal("joblib", sum(1 for path in journal_files(folder) for _ in read_journal(path)), 20)
    return lambda: squares(ITEMS, next(folders))


@contextmanager
def _ended_after(end: Callable[[], object]) -> Iterator[None]:
    """Processes are ended after the work, as ours are: the next round starts them anew."""
    try:
        yield
    finally:
        end()


def our_facts(items: int, folder: Path) -> list[dict[str, int]]:
    """The rows of the manifest that :func:`our_job` leaves."""
    our_job(items, folder)
    rows: list[dict[str, int]] = read_manifest(Bookkeeping(folder).manifest).to_pylist()
    return rows
