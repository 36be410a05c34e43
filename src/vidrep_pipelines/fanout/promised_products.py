"""The products of all jobs below a folder, with the checksums that stand in their manifests."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from vidrep_pipelines.common.file_checks import PromisedFile, folders_below
from vidrep_pipelines.common.item_id import BOOKKEEPING
from vidrep_pipelines.fanout.bookkeeping import Bookkeeping
from vidrep_pipelines.fanout.manifest import damaged, manifest_files, read_stamp

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
