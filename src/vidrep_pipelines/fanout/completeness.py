"""Whether the products of a job are enough to go on with."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from vidrep_pipelines.common.file_checks import PromisedFile, folders_below
from vidrep_pipelines.common.item_id import BOOKKEEPING
from vidrep_pipelines.fanout.bookkeeping import Bookkeeping
from vidrep_pipelines.fanout.errors import FanOutError
from vidrep_pipelines.fanout.manifest import (
    Stamp,
    damaged,
    failed_rows,
    find_stamp,
    manifest_files,
    read_stamp,
)
from vidrep_pipelines.fanout.report import failure_table

_REMEDY = "Remedy: mend what the reasons name, then run it again with fanout.retry_failed=true."


def require_some(folder: Path) -> None:
    """Refuses a job of which every item failed: what comes next could only fail for want of its products.

    Raises:
        FanOutError: Every item failed; with the most frequent reasons, and the table that has all of them.
    """
    books, stamp = Bookkeeping(folder), _complete_stamp(folder)
    failed = len(failed_rows(books.manifest)) if stamp is not None and stamp.items else 0
    if stamp is not None and failed == stamp.items > 0:
        raise _failed(f"{stamp.job}: all {failed} items failed", books)


def require_all(folder: Path, what: str) -> None:
    """Refuses a job of which any item failed.

    Args:
        folder: Folder of the job.
        what: Ends the sentence "3 of 12 ...", such as "videos could not be embedded".

    Raises:
        FanOutError: Items failed; with the most frequent reasons, and the table that has all of them.
    """
    books, stamp = Bookkeeping(folder), _complete_stamp(folder)
    failed = len(failed_rows(books.manifest))
    if stamp is not None and failed:
        raise _failed(f"{folder}: {failed} of {stamp.items} {what}", books)


def has_some(folder: Path) -> bool:
    """Whether the job in the folder ran to its end, and not every item failed."""
    stamp = _complete_stamp(folder)
    return stamp is not None and (
        not stamp.items or len(failed_rows(Bookkeeping(folder).manifest)) < stamp.items
    )


def has_all(folder: Path) -> bool:
    """Whether the job in the folder ran to its end, and no item failed."""
    return _complete_stamp(folder) is not None and not len(failed_rows(Bookkeeping(folder).manifest))


def _complete_stamp(folder: Path) -> Stamp | None:
    stamp = find_stamp(Bookkeeping(folder).manifest)
    return stamp if stamp is not None and stamp.complete else None


def _failed(what: str, books: Bookkeeping) -> FanOutError:
    rows = failed_rows(books.manifest)
    example = f"{rows['id'].iloc[0]}: {rows['error'].iloc[0]}"
    return FanOutError(
        f"{what}, such as {example}\n{failure_table(rows)}\n{books.failures} lists them all. {_REMEDY}"
    )


_ROWS_AT_ONCE = 100_000
_log = logging.getLogger(__name__)


def job_folders(root: Path) -> list[Path]:
    """Folders below ``root`` that a job filled, sorted. What lies below such a folder are its products."""
    return sorted(folder for folder, names in folders_below(root) if BOOKKEEPING in names)


def promised_products(folder: Path) -> Iterator[PromisedFile]:
    """The products of one job. Those of earlier versions of the project have no checksum and are left out.

    So is, with a warning, a job of which a run is under way or was interrupted: what it did again is not what
    the manifest says any more.

    Raises:
        FanOutError: The manifest is damaged.
    """
    books = Bookkeeping(folder)
    manifest = books.manifest
    stamp = read_stamp(manifest)
    if stamp is None:
        return
    if not stamp.complete or books.journals.exists() or books.shards():
        _log.warning(
            "%s is left out: %s is not finished. Remedy: run its pipeline to its end.", folder, stamp.job
        )
        return
    remedy = f"remove it and run the pipeline that makes {folder} ({stamp.job}); only this item is done again"
    for part in manifest_files(manifest):
        try:
            yield from _of_part(part, folder, stamp.suffixes, remedy)
        except (pa.ArrowException, OSError, KeyError) as error:
            raise damaged(part, error) from error


def _of_part(part: Path, folder: Path, suffixes: tuple[str, ...], remedy: str) -> Iterator[PromisedFile]:
    with pq.ParquetFile(part) as file:
        if "checksums" not in file.schema_arrow.names:
            return
        for batch in file.iter_batches(_ROWS_AT_ONCE, columns=["id", "status", "checksums"]):
            rows = batch.filter(pc.and_(pc.equal(batch["status"], "ok"), pc.is_valid(batch["checksums"])))
            for name, checksums in zip(rows["id"].to_pylist(), rows["checksums"].to_pylist(), strict=True):
                for suffix, checksum in zip(suffixes, checksums.split(), strict=True):
                    yield PromisedFile(folder / f"{name}{suffix}", checksum, remedy)
