"""Runs that are killed, and runs whose workers are killed."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pandas as pd
import pytest

from tests.fanout.jobs import LOCAL, executions, processes, products, value_job
from tests.fanout.kill_target import ITEMS, slow_job
from vidrep_pipelines.fanout.bookkeeping import Bookkeeping
from vidrep_pipelines.fanout.journal import read_journals
from vidrep_pipelines.fanout.manifest import read_manifest
from vidrep_pipelines.fanout.runner import is_complete, run_job

KILLS = 3
PATIENCE_SECONDS = 60


def _start(folder: Path, log: Path, root: Path) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "tests.fanout.kill_target", str(folder), str(log)]
    return subprocess.Popen(command, cwd=root, stderr=subprocess.DEVNULL)


def _wait_for(condition: "threading.Event | object", what: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, what
        time.sleep(0.005)


def _is_alive(process: int) -> bool:
    """False also for a dead process that nobody collected (in containers without an init process)."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{process}/stat")
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] != "Z"


def _finished(folder: Path) -> set[int]:
    """Values of items with a record, while no run is going on."""
    books = Bookkeeping(folder)
    rows = {row["facts"]["value"] for row in read_journals(books.journals)}
    table = read_manifest(books.manifest)
    return rows | (set(table["value"].to_pylist()) if "value" in table.column_names else set())


def test_killed_driver(tmp_path: Path, project_root: Path) -> None:
    generator = random.Random(0)
    folder, log = tmp_path / "out", tmp_path / "log"
    for kill in range(KILLS):
        driver = _start(folder, log, project_root)
        target = len(executions(log)) + generator.randint(1, 8)
        _wait_for(lambda target=target: len(executions(log)) >= target, "no progress")
        time.sleep(generator.random() * 0.05)
        driver.kill()
        driver.wait()
        _wait_for(lambda: not any(map(_is_alive, processes(log))), "workers outlived their driver")
        assert not is_complete(folder)
        before, done = executions(log), _finished(folder)
        assert len(done) >= kill
        if kill == KILLS - 1:
            run_job(slow_job(str(log)), folder)
            again = executions(log)[len(before) :]
            assert not done & set(again)
            assert len(again) == ITEMS - len(done)
    # What was redone at all was in the hands of one of two workers at one of the kills.
    assert ITEMS <= len(executions(log)) <= ITEMS + KILLS * 2
    undisturbed = run_job(slow_job(str(tmp_path / "other log")), tmp_path / "undisturbed")
    killed = run_job(slow_job(str(log)), folder)
    ignored = ["seconds", "attempts"]
    pd.testing.assert_frame_equal(killed.table.drop(columns=ignored), undisturbed.table.drop(columns=ignored))
    assert products(folder) == products(tmp_path / "undisturbed")
    assert killed.content_digest == undisturbed.content_digest
    assert sorted(path.name for path in (folder / "_parts").iterdir()) == ["lock", "manifest.parquet"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stopped_driver_cleans_up(tmp_path: Path, project_root: Path, number: signal.Signals) -> None:
    folder, log = tmp_path / "out", tmp_path / "log"
    driver = _start(folder, log, project_root)
    _wait_for(lambda: len(executions(log)) >= 4, "no progress")
    driver.send_signal(number)
    assert driver.wait(PATIENCE_SECONDS) != 0
    _wait_for(lambda: not any(map(_is_alive, processes(log))), "workers outlived their driver")
    assert not Bookkeeping(folder).temporary.exists()
    assert not is_complete(folder)
    assert len(run_job(slow_job(str(log)), folder).ids) == ITEMS
    assert len(executions(log)) <= ITEMS + 2


def test_killed_workers(tmp_path: Path) -> None:
    """Somebody (the out-of-memory killer) kills worker processes at any moment, also idle ones."""
    log = tmp_path / "log"
    generator = random.Random(1)
    stop = threading.Event()
    kills: list[int] = []

    def kill_now_and_then() -> None:
        while not stop.wait(0.15 + 0.2 * generator.random()):
            alive = sorted(filter(_is_alive, processes(log)))
            if alive and len(kills) < 5:
                kills.append(generator.choice(alive))
                os.kill(kills[-1], signal.SIGKILL)

    killer = threading.Thread(target=kill_now_and_then)
    killer.start()
    try:
        config = LOCAL.model_copy(update={"attempts": 20})
        parts = run_job(value_job(range(60), config, log=str(log), seconds=0.03), tmp_path / "out")
    finally:
        stop.set()
        killer.join()
    assert kills
    assert len(parts.ids) == 60
    assert 60 <= len(executions(log)) <= 60 + len(kills)
    undisturbed = run_job(value_job(range(60)), tmp_path / "undisturbed")
    assert products(tmp_path / "out") == products(tmp_path / "undisturbed")
    assert parts.table["value"].tolist() == undisturbed.table["value"].tolist()
