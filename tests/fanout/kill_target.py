"""A run to be killed: ``python -m tests.fanout.kill_target <folder> <side file> [<shard> [<engine>]]``."""

import sys
from pathlib import Path

from tests.fanout.jobs import DASK, LOCAL, value_job
from vidrep_pipelines.fanout.job import Job
from vidrep_pipelines.fanout.runner import run_job

ITEMS = 60


def slow_job(log: str, shard: str = "", engine: str = "local") -> Job:
    """Items that take a moment each."""
    config = {"local": LOCAL, "dask": DASK}[engine].model_copy(
        update={"shard": shard or None, "attempts": 20}
    )
    return value_job(range(ITEMS), config, log=log, seconds=0.04)


if __name__ == "__main__":
    run_job(slow_job(*sys.argv[2:]), Path(sys.argv[1]))
