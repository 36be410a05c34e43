"""The dataset that runs a fan-out job when it is saved and hands out its products when it is loaded."""

import logging
from dataclasses import replace
from pathlib import Path

import pandas as pd
from kedro_datasets._typing import TablePreview

from vidrep_pipelines.common.errors import VidrepError
from vidrep_pipelines.datasets.local import LocalDataset, table_preview
from vidrep_pipelines.fanout.completeness import has_some, require_all, require_some
from vidrep_pipelines.fanout.job import Job
from vidrep_pipelines.fanout.runner import Parts, complete_job, load_parts

_log = logging.getLogger(__name__)


def run_to_the_end(job: Job, folder: Path) -> None:
    """Does what is left of a job, or of its shard.

    Raises:
        SystemExit: With code 0, after a shard that is not merged with the others yet.
    """
    if not complete_job(job, folder):
        _log.info(
            "shard %s of %r is done. Once all shards are, the same command without fanout.shard merges them "
            "and goes on.",
            job.config.shard,
            job.name,
        )
        raise SystemExit(0)


def run_whole(job: Job, folder: Path, failed: str) -> Parts:
    """Does what is left of a job whose products are good for something only together.

    An item fails because of a product of another stage; once that is mended, it is to be made, so that what
    failed in an earlier run is tried again.

    Args:
        job: What to do.
        folder: Where products and bookkeeping go.
        failed: Ends the sentence "3 of 12 ...", such as "videos could not be embedded".

    Raises:
        SystemExit: With code 0, after a shard that is not merged with the others yet.
        FanOutError: An item failed.
    """
    run_to_the_end(replace(job, config=job.config.trying_again()), folder)
    require_all(folder, failed)
    return load_parts(folder)


class ResumableParts(LocalDataset[Job, Parts]):
    """Many files made by one function, one or more per item, with a manifest.

    A node returns a :class:`~vidrep_pipelines.fanout.job.Job` without doing anything itself. Saving it does
    what is left to do: finished items are skipped, also after ``kill -9``, and items whose digest changed are
    done again. The dataset exists only once every item was tried, so that ``--only-missing-outputs`` never
    takes the remains of a killed run for the whole.

    With ``fanout.shard`` the run of the pipeline ends here, with success: later nodes need all shards. The
    same command without the shard merges them and goes on.
    """

    def save(self, data: Job) -> None:
        """Runs the job to its end.

        Raises:
            SystemExit: With code 0, after a shard that is not merged with the others yet.
            FanOutError: Every item failed, so that no later stage could do anything.
        """
        run_to_the_end(data, self._path)
        require_some(self._path)

    def load(self) -> Parts:
        """The handle on the products; opens none of them."""
        return load_parts(self._path)

    def _exists(self) -> bool:
        return has_some(self._path)

    def preview(self, rows: int = 20) -> TablePreview:
        """A summary row, then the failed items, then the others."""
        try:
            table = load_parts(self._path).table
        except VidrepError:
            return TablePreview({})
        failed = table["status"] == "failed"
        text = f"all {len(table)} items: {(~failed).sum()} ok, {failed.sum()} failed"
        totals = {"id": text, "bytes": int(table["bytes"].sum()), "seconds": float(table["seconds"].sum())}
        shown = pd.concat([table[failed].head(rows), table[~failed].head(rows)]).head(rows)
        summary = pd.DataFrame([totals], columns=table.columns, dtype=object)
        return table_preview(pd.concat([summary, shown.astype(object)]))
