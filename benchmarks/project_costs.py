"""What the project itself costs: start-up, runs with nothing to do, going on after a kill, ten million rows.

There is no other tool for these: the reference is the time that they may take.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.fan_out_items import square
from benchmarks.scale_simulation import ROWS, simulate
from benchmarks.timing import Result, seconds
from vidrep_pipelines.fanout.bookkeeping import Bookkeeping
from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.fanout.item_table import ItemTable
from vidrep_pipelines.fanout.job import Job
from vidrep_pipelines.fanout.journal import JournalWriter
from vidrep_pipelines.fanout.runner import complete_job

ROOT = Path(__file__).parents[1]
PIPELINES = ("pretrain_rsp", "eval_davis_systems")
GOALS = {
    "registry_list": 2.0,
    "nothing_to_do_pretrain_rsp": 10.0,
    "nothing_to_do_eval_davis_systems": 20.0,
    "resume_after_kill": 10.0,
    "ten_million_rows_seconds": 10.0,
    "ten_million_rows_memory": 1000.0,
}
"""Seconds, and megabytes of memory."""

ITEMS, LEFT, ROUNDS = 100_000, 100, 3
TO_DATE = "the second `kedro run --pipelines {}` of the laptop's environment, once; reference: the goal"
HOW = {
    "registry_list": f"wall time of `kedro registry list`, median of {ROUNDS}; reference: the goal",
    "nothing_to_do_pretrain_rsp": TO_DATE.format("pretrain_rsp"),
    "nothing_to_do_eval_davis_systems": TO_DATE.format("eval_davis_systems"),
    "resume_after_kill": (
        f"wall time of a job of {ITEMS} trivial items of which a killed run has left all but {LEFT} in its "
        f"journal, up to the written manifest, median of {ROUNDS}; reference: the goal"
    ),
    "ten_million_rows_seconds": "the slowest step of `benchmarks.scale_simulation`; reference: the goal",
    "ten_million_rows_memory": "the step that needs most, libraries included; reference: the goal",
}


def run() -> dict[str, Result]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found = {
            "registry_list": statistics.median(_kedro(folder, "registry", "list") for _ in range(ROUNDS))
        }
        for pipeline in PIPELINES:
            _kedro(folder, "run", "--pipelines", pipeline)
            found[f"nothing_to_do_{pipeline}"] = _kedro(folder, "run", "--pipelines", pipeline)
        found["resume_after_kill"] = statistics.median(
            resume(folder / f"job {number}", ITEMS, LEFT) for number in range(ROUNDS)
        )
        steps = [step for step in simulate(ROWS, _made(folder / "rows")) if step.name != "make_tables"]
    found["ten_million_rows_seconds"] = max(step.seconds for step in steps)
    found["ten_million_rows_memory"] = max(step.peak_megabytes for step in steps)
    return {name: _result(name, value) for name, value in found.items()}


def resume(folder: Path, items: int, left: int) -> float:
    """Seconds in which a job goes on after a kill that left ``left`` items to do."""
    ids = [f"item_{number:06}" for number in range(items)]
    row = {"status": "ok", "error": None, "seconds": 0.0, "bytes": 0, "digest": "0", "attempts": 1}
    with JournalWriter(Bookkeeping(folder).journals) as journal:
        for number, item in enumerate(ids[left:], left):
            journal.append({"id": item, **row, "facts": square(number, {})})
    job = Job("squares", square, ItemTable.of(ids, ["0"] * items, int), (), FanOutConfig(workers=2))
    return seconds(lambda: complete_job(job, folder))


def _result(name: str, found: float) -> Result:
    goal = GOALS[name]
    unit = "MB" if name.endswith("memory") else "seconds"
    return Result(ratio=goal / found, ours=found, reference=goal, unit=unit, how=HOW[name])


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _kedro(data: Path, *arguments: str) -> float:
    environment = {**os.environ, "VIDREP_DATA": str(data / "data"), "KEDRO_DISABLE_TELEMETRY": "1"}
    started = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "kedro", *arguments],
        cwd=ROOT,
        env=environment,
        check=True,
        capture_output=True,
    )
    return time.perf_counter() - started
