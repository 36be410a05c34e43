"""Runs a job to its end, however often it was interrupted before."""

import logging
import shutil
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from vidrep_pipelines.common.atomic import ReadOnlyError, is_read_only
from vidrep_pipelines.common.progress import Progress
from vidrep_pipelines.fanout.bookkeeping import Bookkeeping
from vidrep_pipelines.fanout.engine import engine_for
from vidrep_pipelines.fanout.errors import DiskFullError, FanOutError, is_disk_full
from vidrep_pipelines.fanout.item_table import ItemTable, check_ids
from vidrep_pipelines.fanout.job import Job
from vidrep_pipelines.fanout.manifest import (
    Stamp,
    check_manifest,
    failed_rows,
    find_stamp,
    partial_rows,
    read_manifest,
    read_stamp,
    recover_manifest,
    write_manifest,
    write_stamp,
)
from vidrep_pipelines.fanout.parts import Parts, table_to_frame
from vidrep_pipelines.fanout.plan import Plan, make_plan
from vidrep_pipelines.fanout.records import Records, read_records
from vidrep_pipelines.fanout.report import failure_table, write_failures
from vidrep_pipelines.fanout.shard import Shard
from vidrep_pipelines.fanout.slot import termination_as_exit
from vidrep_pipelines.fanout.worker import Recipe

__all__ = ["Parts", "complete_job", "is_complete", "load_parts", "run_job"]

_ROWS_PER_FILE = 1_000_000

_log = logging.getLogger(__name__)


def run_job(job: Job, folder: Path) -> Parts:
    """Does what is left of a job and hands out its products; see :func:`complete_job`.

    With ``fanout.shard`` these are the products of the shard, unless the whole job was merged before.
    """
    complete = complete_job(job, folder)
    manifest = Bookkeeping(folder, None if complete else _shard_of(job)).manifest
    return Parts(folder, table_to_frame(read_manifest(manifest)), job.suffixes)


def complete_job(job: Job, folder: Path) -> bool:
    """Does what is left of a job, or of its shard, writes the manifest and reports failures.

    Args:
        job: What to do.
        folder: Where products and bookkeeping go; created when missing.

    Returns:
        Whether the whole job is done and merged: always, unless ``fanout.shard`` is set.

    Raises:
        FanOutError: Bad ids, a full disk, another run in the same folder, or more failures than
            ``max_failed_fraction``. Finished items are kept in every case.
        ReadOnlyError: Something is to be done in a folder that cannot be written to.
    """
    items, shard = ItemTable.wrap(job.items), _shard_of(job)
    hash_key = check_ids(job.name, items)
    books = Bookkeeping(folder.absolute())
    if shard is not None:
        if _is_merged(job, items, books):
            _log.info("%s: up to date (%d items, all shards are merged)", job.name, len(items))
            return True
        total = len(items)
        items, books = items.of_shard(shard), replace(books, shard=shard)
        _log.info("%s: shard %s has %d of %d items", job.name, shard, len(items), total)
    run = _Run(job, items, books, hash_key)
    read_only = is_read_only(books.folder)
    if run.is_up_to_date(try_again=not read_only):
        return shard is None
    if read_only:
        raise ReadOnlyError(
            f"{job.name}: there is something left to do, and {folder} cannot be written to. Remedy: run it "
            "where the data folder may be written, or copy it and set VIDREP_DATA to the copy."
        )
    try:
        with books.lock() as known, termination_as_exit():
            run.complete(known)
    except OSError as error:
        if is_disk_full(error):
            raise DiskFullError.at(folder) from error
        raise
    return shard is None


def load_parts(folder: Path) -> Parts:
    """The products of a job that was run before. Rows are read when they are asked for.

    Raises:
        FanOutError: There is no finished job in the folder.
    """
    manifest = Bookkeeping(folder).manifest
    stamp = read_stamp(manifest)
    if stamp is None or not stamp.complete:
        state = "no job was run" if stamp is None else f"the job {stamp.job!r} is not finished"
        raise FanOutError(f"{folder}: {state}. Remedy: run the pipeline that makes it (again).")
    check_manifest(manifest)
    return Parts(folder, manifest, stamp.suffixes)


def is_complete(folder: Path) -> bool:
    """Whether the last job in this folder ran to its end."""
    stamp = find_stamp(Bookkeeping(folder).manifest)
    return stamp is not None and stamp.complete


def _shard_of(job: Job) -> Shard | None:
    return None if job.config.shard is None else Shard.parse(job.config.shard)


def _is_merged(job: Job, items: ItemTable, books: Bookkeeping) -> bool:
    """Whether the manifest of the whole job is there, so that a shard has nothing to add."""
    stamp = find_stamp(books.manifest)
    return stamp == Stamp(job.name, job.suffixes, items.digest(job.suffixes), len(items), complete=True)


class _Run:
    """One run of a job or of a shard, by the holder of its lock."""

    def __init__(self, job: Job, items: ItemTable, books: Bookkeeping, hash_key: str) -> None:
        self._job, self._items, self._books, self._hash_key = job, items, books, hash_key
        digest = items.digest(job.suffixes)
        self._stamp = Stamp(job.name, job.suffixes, digest, len(items), complete=False)

    def is_up_to_date(self, *, try_again: bool) -> bool:
        """Whether nothing is left to do, which is then said. Writes nothing, not even a lock.

        Args:
            try_again: Whether to try again what failed or lacks something counts as left to do. Not where
                nothing can be written: those items are told, and the others can be used.
        """
        books, finished = self._books, replace(self._stamp, complete=True)
        if books.shard is not None or books.shards() or books.journals.exists():
            return False
        if find_stamp(books.manifest) != finished:
            return False
        _, plan = self._look([books], at_start=try_again)
        few_failed = plan.failed <= self._job.config.max_failed_fraction * len(self._items)
        if len(plan.pending) or plan.dropped or not few_failed:
            return False
        self._report(plan, plan)
        return True

    def complete(self, known: Sequence[Bookkeeping]) -> None:
        """Does what the records of ``known`` do not show as finished.

        Raises:
            FanOutError: See :func:`complete_job`.
        """
        recover_manifest(self._books.manifest)
        self._books.release()  # of a killed run, which may have left nothing to do
        self._books.clear_temporary()
        records, before = self._look(known, at_start=True)
        self._announce(before)
        plan = before
        if len(before.pending):
            del records  # there is room for one set of them only, when there are millions
            self._mark_incomplete()
            self._work(before)
            records, plan = self._look(known, at_start=False)
            self._check_products(plan)
        few_failed = plan.failed <= self._job.config.max_failed_fraction * len(self._items)
        self._stamp = replace(self._stamp, complete=few_failed or self._books.shard is not None)
        self._write(records, plan, known)
        self._report(before, plan)
        if not self._stamp.complete:
            raise self._too_many_failed(plan)

    def _look(self, known: Sequence[Bookkeeping], *, at_start: bool) -> tuple[Records, Plan]:
        """What the records and the disk say now. What was tried in this run is not tried again."""
        records = read_records(known, self._hash_key)
        plan = make_plan(
            self._items,
            records,
            self._books.folder,
            self._job.suffixes,
            retry_failed=at_start and self._job.config.retry_failed,
            hash_key=self._hash_key,
            redo_partial=at_start,
        )
        return records, plan

    def _announce(self, plan: Plan) -> None:
        name = self._job.name
        if plan.out_of_date:
            _log.info("%s: %d items are out of date and are done again", name, plan.out_of_date)
        if plan.dropped and self._books.shard is None:
            text = "%s: %d items of an earlier run are no longer part of the job; their files stay in %s"
            _log.info(text, name, plan.dropped, self._books.folder)

    def _mark_incomplete(self) -> None:
        """Nobody may take the rows of the last run for those of this job any more."""
        self._books.manifest.mkdir(parents=True, exist_ok=True)
        write_stamp(self._books.manifest, self._stamp)

    def _work(self, plan: Plan) -> None:
        """Does the pending items; their rows are in the journals then."""
        recipe = Recipe.of(self._job, self._books)
        engine = engine_for(self._job.config, len(plan.pending))
        self._books.claim(recipe.run)
        self._books.temporary.mkdir(parents=True, exist_ok=True)
        failed = 0
        try:
            with (
                Progress(len(self._items), self._job.name, initial=plan.finished) as progress,
                closing(engine.run(recipe, self._items.at(plan.pending))) as statuses,
            ):
                for status in statuses:
                    failed += status == "failed"
                    progress.advance(note=f"{failed} failed" if failed else "")
        finally:
            self._books.release()
            self._books.clear_temporary()

    def _check_products(self, plan: Plan) -> None:
        missing = plan.pending
        if len(missing):
            names = [self._items[position].id for position in missing[:3].tolist()]
            raise FanOutError(
                f"{self._job.name}: the products of {len(missing)} items just done are gone from "
                f"{self._books.folder}, such as {names}. Remedy: see what deletes files there, then run it "
                "again."
            )

    def _write(self, records: Records, plan: Plan, known: Sequence[Bookkeeping]) -> None:
        """Rows leave journals and shards only once the manifest that holds them is safely written."""
        books = self._books
        merged = [] if books.shard is not None else [other for other in known if other != books]
        in_place = {source.path.parent for source in records.sources} <= {books.manifest}
        if plan.dropped or not in_place or find_stamp(books.manifest) != self._stamp:
            write_manifest(books.manifest, records.tables(plan.rows, _ROWS_PER_FILE), self._stamp)
            write_failures(failed_rows(books.manifest), books.failures)
        books.clear_journals()
        for other in merged:
            shutil.rmtree(other.root)

    def _report(self, before: Plan, plan: Plan) -> None:
        """One line, and a table of the failures if there are any."""
        shard, total = self._books.shard, len(self._items)
        name = self._job.name if shard is None else f"{self._job.name} (shard {shard})"
        if len(before.pending):
            done = before.finished - before.failed
            counts = (total, done, total - done - plan.failed, plan.failed)
            _log.info("%s: %d items, %d done before, %d done now, %d failed", name, *counts)
        else:
            again = "failed earlier (fanout.retry_failed tries them again)"
            remembered = f", {plan.failed} {again}" if plan.failed else ""
            _log.info("%s: up to date (%d items%s)", name, total, remembered)
        if plan.failed:
            text, listed = failure_table(failed_rows(self._books.manifest)), self._books.failures
            _log.warning(
                "%s: %d of %d items failed, listed in %s\n%s", name, plan.failed, total, listed, text
            )
        if plan.partial:
            text = failure_table(partial_rows(self._books.manifest))
            _log.warning(
                "%s: %d of %d items lack something; the next run makes them again\n%s",
                name,
                plan.partial,
                total,
                text,
            )

    def _too_many_failed(self, plan: Plan) -> FanOutError:
        return FanOutError(
            f"{self._job.name}: {plan.failed} of {len(self._items)} items failed; fanout.max_failed_fraction "
            f"allows {self._job.config.max_failed_fraction:.3g} of them. The table above says why, "
            f"{self._books.failures} lists them all. Remedy: mend the inputs, or raise the limit."
        )
