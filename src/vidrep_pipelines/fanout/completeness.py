"""Whether the products of a job are enough to go on with."""

from pathlib import Path

from vidrep_pipelines.fanout.bookkeeping import Bookkeeping
from vidrep_pipelines.fanout.errors import FanOutError
from vidrep_pipelines.fanout.manifest import Stamp, failed_rows, find_stamp
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
