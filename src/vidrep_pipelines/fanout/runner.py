"""Runs a job to its end, however often it was interrupted before."""

import logging
import signal
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from types import FrameType

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from vidrep_pipelines.common.progress import Progress
from vidrep_pipelines.fanout.bookkeeping import Bookkeeping
from vidrep_pipelines.fanout.engine import engine_for
from vidrep_pipelines.fanout.errors import DiskFullError, FanOutError, is_disk_full
from vidrep_pipelines.fanout.job import Job, check_items
from vidrep_pipelines.fanout.journal import read_journals
from vidrep_pipelines.fanout.manifest import (
    Stamp,
    concatenate,
    read_manifest,
    read_stamp,
    rows_to_table,
    write_manifest,
)
from vidrep_pipelines.fanout.parts import Parts, table_to_frame
from vidrep_pipelines.fanout.plan import Plan, make_plan
from vidrep_pipelines.fanout.report import failure_table
from vidrep_pipelines.fanout.worker import Recipe

__all__ = ["Parts", "is_complete", "load_parts", "run_job"]

_log = logging.getLogger(__name__)


def run_job(job: Job, folder: Path) -> Parts:
    """Does what is left of a job, writes its manifest and reports failures.

    Args:
        job: What to do.
        folder: Where products and bookkeeping go; created when missing.

    Raises:
        FanOutError: Bad ids, a full disk, another run in the same folder, or more failures than
            ``max_failed_fraction``. Finished items are kept in every case.
    """
    check_items(job)
    books = Bookkeeping(folder.absolute())
    try:
        with books.lock(), _termination_as_exit():
            table = _run_locked(job, books)
    except OSError as error:
        if is_disk_full(error):
            raise DiskFullError.at(folder) from error
        raise
    _check_failures(job, table, folder)
    return Parts(folder, table_to_frame(table), job.suffixes)


def load_parts(folder: Path) -> Parts:
    """The products of a job that was run before.

    Raises:
        FanOutError: There is no finished job in the folder.
    """
    books = Bookkeeping(folder)
    stamp = read_stamp(books.manifest)
    if stamp is None or not stamp.complete:
        state = "no job was run" if stamp is None else f"the job {stamp.job!r} is not finished"
        raise FanOutError(f"{folder}: {state}. Remedy: run the pipeline that makes it (again).")
    return Parts(folder, table_to_frame(read_manifest(books.manifest)), stamp.suffixes)


def is_complete(folder: Path) -> bool:
    """Whether the last job in this folder ran to its end."""
    stamp = read_stamp(Bookkeeping(folder).manifest)
    return stamp is not None and stamp.complete


def _run_locked(job: Job, books: Bookkeeping) -> pa.Table:
    books.clear_temporary()
    rows = concatenate([read_manifest(books.manifest), rows_to_table(read_journals(books.journals))])
    plan = make_plan(job, rows, books.folder, job.config.retry_failed)
    stamp = Stamp(job.name, job.suffixes, job.digest, len(job.items), complete=False)
    _announce(job, plan, books.folder)
    table = plan.finished
    if plan.pending:
        _write(books, table, stamp)
        table = _in_order(job, concatenate([table, _work(job, books, plan)]))
    stamp = replace(stamp, complete=_few_failed(job, table))
    if plan.pending or plan.dropped or books.journals.exists() or read_stamp(books.manifest) != stamp:
        _write(books, table, stamp)
    _report(job, plan, table)
    return table


def _work(job: Job, books: Bookkeeping, plan: Plan) -> pa.Table:
    """Does the pending items and returns their rows, as far as the disk agrees with them."""
    pending = [job.items[position] for position in plan.pending]
    recipe = Recipe.of(job, books)
    books.temporary.mkdir(parents=True, exist_ok=True)
    done, failed = len(plan.finished), 0
    try:
        with (
            Progress(len(job.items), job.name, initial=done) as progress,
            closing(engine_for(job.config, len(pending)).run(recipe, pending)) as statuses,
        ):
            for status in statuses:
                failed += status == "failed"
                progress.advance(note=f"{failed} failed" if failed else "")
    finally:
        books.clear_temporary()
    return _rows_of(replace(job, items=pending), books)


def _rows_of(job: Job, books: Bookkeeping) -> pa.Table:
    plan = make_plan(job, rows_to_table(read_journals(books.journals)), books.folder, retry_failed=False)
    if plan.pending:
        missing = [job.items[position].id for position in plan.pending[:3]]
        raise FanOutError(
            f"{job.name}: the products of {len(plan.pending)} items just done are gone from "
            f"{books.folder}, such as {missing}. Remedy: see what deletes files there, then run it again."
        )
    return plan.finished


def _in_order(job: Job, table: pa.Table) -> pa.Table:
    positions = pd.Index(table["id"].to_numpy()).get_indexer(pd.Index([item.id for item in job.items]))
    return table.take(pa.array(positions))


def _write(books: Bookkeeping, table: pa.Table, stamp: Stamp) -> None:
    """Rows leave the journals only once the manifest that holds them is safely written."""
    write_manifest(books.manifest, table, stamp)
    books.clear_journals()


def _failures(table: pa.Table) -> int:
    return int(pc.sum(pc.equal(table["status"], "failed")).as_py() or 0)


def _few_failed(job: Job, table: pa.Table) -> bool:
    return _failures(table) <= job.config.max_failed_fraction * len(table)


def _report(job: Job, plan: Plan, table: pa.Table) -> None:
    """One line, and a table of the failures if there are any."""
    before, failed = len(plan.finished) - _failures(plan.finished), _failures(table)
    if plan.pending:
        now = len(table) - before - failed
        _log.info(
            "%s: %d items, %d done before, %d done now, %d failed", job.name, len(table), before, now, failed
        )
    else:
        remembered = f", {failed} failed earlier (fanout.retry_failed tries them again)" if failed else ""
        _log.info("%s: up to date (%d items%s)", job.name, len(table), remembered)
    if failed:
        rows = table.filter(pc.equal(table["status"], "failed")).select(["id", "error"]).to_pandas()
        _log.warning("%s: %d of %d items failed\n%s", job.name, failed, len(table), failure_table(rows))


def _announce(job: Job, plan: Plan, folder: Path) -> None:
    if plan.out_of_date:
        _log.info("%s: %d items are out of date and are done again", job.name, plan.out_of_date)
    if plan.dropped:
        _log.info(
            "%s: %d items of an earlier run are no longer part of the job; their files stay in %s",
            job.name,
            plan.dropped,
            folder,
        )


def _check_failures(job: Job, table: pa.Table, folder: Path) -> None:
    if not _few_failed(job, table):
        raise FanOutError(
            f"{job.name}: {_failures(table)} of {len(table)} items failed; fanout.max_failed_fraction allows "
            f"{job.config.max_failed_fraction:.3g} of them. The table above says why, "
            f"{Bookkeeping(folder).manifest} lists them all. Remedy: mend the inputs, or raise the limit."
        )


@contextmanager
def _termination_as_exit() -> Iterator[None]:
    """Turns SIGTERM into an exit that stops the workers first. Only the main thread may handle signals."""
    if (
        threading.current_thread() is not threading.main_thread()
        or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL
    ):
        yield
        return

    def leave(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
