"""Which of many videos are measured."""

import heapq
from collections.abc import Iterator
from typing import Any

import pandas as pd

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.common.seeds import seed_for
from vidrep_pipelines.data.tables.table import Rows, as_table

_COLUMNS = ("id", "path", "bytes", "mtime_ns", "etag")


def choose_clips(index: Rows, count: int, seed: int) -> pd.DataFrame:
    """Draws videos that can be opened; adding or removing others hardly changes which.

    Args:
        index: The video index; it is gone through once.
        count: How many to draw, at most.
        seed: Seed of the draw.

    Returns:
        ``id``, ``path``, ``bytes``, ``mtime_ns`` and ``etag`` of the chosen ones, sorted by id.

    Raises:
        InputError: None of the videos can be opened.
    """
    drawn = heapq.nsmallest(count, _openable(index), key=lambda row: seed_for(seed, row[0]))
    if not drawn:
        raise InputError(
            "None of the videos below ingest.root can be opened, so that there is nothing to measure."
        )
    return pd.DataFrame(sorted(drawn), columns=list(_COLUMNS)).astype({"etag": "string"})


def _openable(index: Rows) -> Iterator[tuple[Any, ...]]:
    for batch in as_table(index).batches([*_COLUMNS, "error"]):
        good = batch.filter(batch["error"].is_null())
        yield from zip(*(good[name].to_pylist() for name in _COLUMNS), strict=True)
