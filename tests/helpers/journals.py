"""Journals of a job that another process is working on."""

from pathlib import Path
from typing import Any

from vidrep_pipelines.fanout.bookkeeping import Bookkeeping
from vidrep_pipelines.fanout.journal import journal_files, read_journal


def finished_rows(folder: Path) -> list[dict[str, Any]]:
    """Rows of the items finished so far below ``folder``, of all shards.

    Starting and ending runs remove folders and files while these are being listed: then it is done again.
    """
    while True:
        try:
            return _finished_rows(folder)
        except FileNotFoundError:
            continue


def _finished_rows(folder: Path) -> list[dict[str, Any]]:
    whole = Bookkeeping(folder)
    roots = [books.journals for books in (whole, *whole.shards())]
    journals = [path for root in roots for path in journal_files(root)]
    return [row for path in journals for _, row in read_journal(path)]
