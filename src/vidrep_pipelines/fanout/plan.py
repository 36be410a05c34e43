"""Which items of a job are finished, from the rows known about them and from what is on disk."""

import os
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from vidrep_pipelines.fanout.job import Job


@dataclass(frozen=True, slots=True)
class Plan:
    """What is left to do.

    Attributes:
        finished: Rows of finished items, in the order of the job.
        pending: Positions in ``job.items`` of what has to be done, shape (P,).
        out_of_date: How many of them have a row with another digest.
        dropped: How many rows belong to items that the job no longer has.
    """

    finished: pa.Table
    pending: list[int]
    out_of_date: int
    dropped: int


def make_plan(job: Job, rows: pa.Table, folder: Path, retry_failed: bool) -> Plan:
    """Compares the job with the rows known about its items.

    An item is finished when its row has the same digest and, for an ok item, its products exist with the size
    that the row says. Failed items are finished too, unless ``retry_failed``.

    Args:
        job: The job.
        rows: Rows in ascending precedence per id: of several for an id, an ok one wins over a failed one and
            otherwise the last wins.
        folder: Where the products are.
        retry_failed: Count failed items as not finished.
    """
    wanted = pd.DataFrame(
        ((item.id, item.digest) for item in job.items), columns=["id", "wanted"], dtype=object
    )
    known = _one_per_id(rows)
    items = wanted.merge(known, on="id", how="left")
    current = items["digest"] == items["wanted"]
    finished = current & (items["status"] == "ok") if retry_failed else current
    ok = finished & (items["status"] == "ok")
    finished[ok] = _products_exist(folder, job.suffixes, items[ok])
    found = items["row"].notna()
    return Plan(
        finished=rows.take(pa.array(items.loc[finished, "row"].astype("int64"))),
        pending=np.flatnonzero(~finished).tolist(),
        out_of_date=int((found & ~current).sum()),
        dropped=len(known) - int(found.sum()),
    )


def _one_per_id(rows: pa.Table) -> pd.DataFrame:
    """id, digest, status, bytes and row number of the row that counts for each id."""
    known: pd.DataFrame = rows.select(["id", "digest", "status", "bytes"]).to_pandas()
    known = known.assign(row=np.arange(len(known)), ok=known["status"] == "ok").sort_values(
        "ok", kind="stable"
    )
    return known.drop_duplicates("id", keep="last").drop(columns="ok")


def _products_exist(
    folder: Path, suffixes: tuple[str, ...], rows: pd.DataFrame
) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Per row, whether all products are there and have the recorded size together; one listing per folder."""
    if not suffixes:
        return np.ones(len(rows), dtype=bool)
    by_parent: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for number, name in enumerate(rows["id"]):
        parent, _, stem = name.rpartition("/")
        by_parent[parent].append((number, stem))
    sizes = np.full(len(rows), -1, dtype=np.int64)
    for parent, stems in by_parent.items():
        on_disk = _sizes(folder / parent)
        for number, stem in stems:
            parts = [on_disk.get(f"{stem}{suffix}") for suffix in suffixes]
            if None not in parts:
                sizes[number] = sum(part for part in parts if part is not None)
    return np.asarray(sizes == rows["bytes"].to_numpy(), dtype=bool)


def _sizes(directory: Path) -> dict[str, int]:
    try:
        with os.scandir(directory) as entries:
            return {entry.name: entry.stat().st_size for entry in entries if entry.is_file()}
    except (FileNotFoundError, NotADirectoryError):
        return {}
