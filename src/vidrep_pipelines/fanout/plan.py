"""Which items of a job are finished, from the rows known about them and from what is on disk."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from vidrep_pipelines.fanout.item_table import ItemTable, Positions, keys_of
from vidrep_pipelines.fanout.records import Records


@dataclass(frozen=True, slots=True)
class Plan:
    """What is left to do of N items.

    Attributes:
        rows: Number of the record of every item, -1 for one that is not finished, (N,).
        failed: How many of the finished items failed.
        partial: How many of the finished items lack something.
        out_of_date: How many of the others have a record with another digest only.
        dropped: How many ids have records but are no longer items of the job.
    """

    rows: Positions
    failed: int
    partial: int
    out_of_date: int
    dropped: int

    @property
    def pending(self) -> Positions:
        """Positions of the items that have to be done, ascending."""
        return np.flatnonzero(self.rows < 0)

    @property
    def finished(self) -> int:
        """How many items need not be done."""
        return int((self.rows >= 0).sum())


def make_plan(
    items: ItemTable,
    records: Records,
    folder: Path,
    suffixes: tuple[str, ...],
    *,
    retry_failed: bool,
    hash_key: str,
    redo_partial: bool = False,
) -> Plan:
    """Compares the items with the records.

    An item is finished when its last ok record has its digest and its products exist with the size that the
    record says; or when it failed with that digest and was not made since, unless ``retry_failed``.

    Args:
        items: The items.
        records: What is known.
        folder: Where the products are.
        suffixes: Endings of the products.
        retry_failed: Count failed items as not finished.
        hash_key: Key with which the records were read.
        redo_partial: Count items whose products lack something as not finished.
    """
    keys, digests = keys_of(items.ids, hash_key), keys_of(items.digests, hash_key)
    made, failed = records.last(keys, ok=True), records.last(keys, ok=False)
    known = (made >= 0) | (failed >= 0)
    current = _current(records, made, digests)
    partial = _made_partial(records, made)
    there = current & ~partial if redo_partial else current.copy()
    if suffixes:
        positions = np.flatnonzero(there)
        sizes = _sizes_on_disk(items.ids.take(pa.array(positions)), folder, suffixes)
        there[positions] = sizes == records.sizes[made[positions]]
    given_up = ~there & _current(records, failed, digests) & (failed > np.where(current, made, -1))
    rows = np.where(there, made, -1)
    if not retry_failed:
        rows = np.where(given_up, failed, rows)
    return Plan(
        rows=rows,
        failed=0 if retry_failed else int(given_up.sum()),
        partial=int((there & partial).sum()),
        out_of_date=int((known & ~current & ~_current(records, failed, digests)).sum()),
        dropped=len(np.unique(records.keys)) - int(known.sum()),
    )


def _current(records: Records, rows: Positions, digests: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Whether there is a record and it has the digest."""
    if not len(records.digests):
        return np.zeros(len(rows), bool)
    return np.asarray((rows >= 0) & (records.digests[rows] == digests), dtype=bool)


def _made_partial(records: Records, rows: Positions) -> NDArray[np.bool_]:
    """Whether there is a record of success, of a product that lacks something."""
    if not len(records.partial):
        return np.zeros(len(rows), bool)
    return np.asarray((rows >= 0) & records.partial[rows], dtype=bool)


def _sizes_on_disk(ids: pa.ChunkedArray, folder: Path, suffixes: tuple[str, ...]) -> NDArray[np.int64]:
    """Bytes of all products of each id together, -1 when one is missing, (N,); one listing per folder."""
    sizes = np.full(len(ids), -1)
    if not len(ids):
        return sizes
    parents = pc.replace_substring_regex(ids, r"[^/]*$", "")
    folders = pc.unique(parents)
    codes = np.asarray(pc.index_in(parents, value_set=folders), dtype=np.int32)
    order = np.argsort(codes, kind="stable")
    ends = np.cumsum(np.bincount(codes, minlength=len(folders)))
    for parent, mine in zip(folders.to_pylist(), np.split(order, ends[:-1]), strict=True):
        on_disk = _listing(folder / parent)
        for position, name in zip(mine.tolist(), ids.take(pa.array(mine)).to_pylist(), strict=True):
            parts = [on_disk.get(f"{name[len(parent) :]}{suffix}") for suffix in suffixes]
            if None not in parts:
                sizes[position] = sum(part for part in parts if part is not None)
    return sizes


def _listing(directory: Path) -> dict[str, int]:
    try:
        with os.scandir(directory) as entries:
            return {entry.name: entry.stat().st_size for entry in entries if entry.is_file()}
    except (FileNotFoundError, NotADirectoryError):
        return {}
