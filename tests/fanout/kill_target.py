"""A run to be killed: ``python -m tests.fanout.kill_target <folder> <side file>``."""

import sys
from pathlib import Path

from tests.fanout.jobs import LOCAL, value_job
from vidrep_pipelines.fanout.job import Job
from vidrep_pipelines.fanout.runner import run_job

ITEMS = 40


def slow_job(log: str) -> Job:
    return value_job(range(ITEMS), LOCAL, log=log, seconds=0.04)


if __name__ == "__main__":
    run_job(slow_job(sys.argv[2]), Path(sys.argv[1]))
