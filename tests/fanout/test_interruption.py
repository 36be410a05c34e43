"""Runs that are killed, and runs whose workers are killed."""

import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd
import pytest

from tests.fanout.jobs import executions, processes, products, value_job
from tests.fanout.kill_target import ITEMS, slow_job
from tests.fanout.processes import (
    PATIENCE_SECONDS,
    command_of,
    is_alive,
    kill_if_alive,
    parent_of,
    running_with,
    wait_for,
)
from vidrep_pipelines.fanout.bookkeeping import Bookkeeping
from vidrep_pipelines.fanout.item_table import ItemTable
from vidrep_pipelines.fanout.journal import journal_files, read_journal
from vidrep_pipelines.fanout.manifest import read_manifest
from vidrep_pipelines.fanout.runner import is_complete, run_job

MARK = "VIDREP_TEST_RUN"


@dataclass
class Scene:
    """A job in a folder whose driver is started and killed again and again."""

    root: Path
    folder: Path
    log: Path
    engine: str = "local"
    kept: dict[Path, tuple[int, int]] = field(default_factory=dict)
    done: set[int] = field(default_factory=set)

    def start(self, errors: Path = Path(os.devnull)) -> "subprocess.Popen[bytes]":
        """In a process group of its own, like a command in a terminal."""
        command = [sys.executable, "-m", "tests.fanout.kill_target", str(self.folder), str(self.log), ""]
        environment = {**os.environ, MARK: str(self.folder)}
        with errors.open("wb") as output:
            return subprocess.Popen(
                [*command, self.engine], cwd=self.root, env=environment, stderr=output, start_new_session=True
            )

    def kill_driver(self, driver: "subprocess.Popen[bytes]") -> None:
        """Kills it, waits until all its processes are gone, and notes what is finished."""
        driver.kill()
        driver.wait()
        wait_for(lambda: not running_with(f"{MARK}={self.folder}"), "processes outlived their driver")
        books = Bookkeeping(self.folder)
        rows = [row for path in journal_files(books.journals) for _, row in read_journal(path)]
        rows += read_manifest(books.manifest).to_pylist()
        for row in rows:
            for suffix in (".txt", ".more.txt"):
                path = self.folder / f"{row['id']}{suffix}"
                self.kept.setdefault(path, (path.stat().st_ino, path.stat().st_mtime_ns))
        self.done = {row["facts"]["value"] if "facts" in row else row["value"] for row in rows}

    def kill_worker(self, generator: random.Random) -> None:
        """Kills a process that works on items, or the Dask worker that it belongs to."""
        alive = sorted(filter(is_alive, processes(self.log)))
        if not alive:
            return
        victim = generator.choice(alive)
        if self.engine == "dask" and generator.random() < 0.5:
            victim = parent_of(victim) or victim
        kill_if_alive(victim)


def _progress(scene: Scene, driver: "subprocess.Popen[bytes]", starts: int) -> None:
    """Waits until that many items were started in all, or the driver is done."""
    wait_for(lambda: len(executions(scene.log)) >= starts or driver.poll() is not None, "no progress")


@pytest.mark.parametrize(
    ("engine", "moments", "seed"),
    [
        ("local", 5, 2),
        pytest.param("local", 20, 0, marks=pytest.mark.slow),
        pytest.param("dask", 20, 1, marks=pytest.mark.slow),
    ],
)
def test_killed_at_many_moments(
    tmp_path: Path, project_root: Path, engine: str, moments: int, seed: int
) -> None:
    """Every third kill hits the driver, the others a worker; then the same command finishes the job."""
    generator = random.Random(seed)
    scene = Scene(project_root, tmp_path / "out", tmp_path / "log", engine)
    driver = scene.start()
    for moment in range(moments):
        _progress(scene, driver, len(executions(scene.log)) + generator.randint(1, 3))
        time.sleep(generator.random() * 0.05)
        assert driver.poll() is None, "the job ended before all kills"
        if moment % 3:
            scene.kill_worker(generator)
            continue
        scene.kill_driver(driver)
        assert not is_complete(scene.folder)
        before, done = len(executions(scene.log)), set(scene.done)
        driver = scene.start()
        _progress(scene, driver, before + 1)
        assert not done & set(executions(scene.log)[before:])
    scene.kill_driver(driver)
    before = len(executions(scene.log))
    assert scene.start().wait(PATIENCE_SECONDS) == 0
    again = executions(scene.log)[before:]
    assert sorted(again) == sorted(set(range(ITEMS)) - scene.done)
    assert all((path.stat().st_ino, path.stat().st_mtime_ns) == kept for path, kept in scene.kept.items())
    # What was redone at all was in the hands of one of two workers at one of the kills.
    assert ITEMS <= len(executions(scene.log)) <= ITEMS + 2 * (moments + 1) * (1 if engine == "local" else 8)
    _check_equal(scene.folder, tmp_path)
    assert not running_with(f"{MARK}={scene.folder}")


def _check_equal(folder: Path, scratch: Path) -> None:
    """The folder's content against an undisturbed run."""
    killed = run_job(slow_job(str(scratch / "other log")), folder)
    assert not (scratch / "other log").exists()
    undisturbed = run_job(value_job(range(ITEMS)), scratch / "undisturbed")
    ignored = ["seconds", "attempts"]
    pd.testing.assert_frame_equal(killed.table.drop(columns=ignored), undisturbed.table.drop(columns=ignored))
    assert products(folder) == products(scratch / "undisturbed")
    assert killed.content_digest == undisturbed.content_digest
    assert sorted(path.name for path in (folder / "_parts").iterdir()) == ["lock", "manifest"]
    assert list(folder.rglob(".*")) == []


def test_a_hung_worker_does_not_outlive_a_killed_driver(tmp_path: Path, project_root: Path) -> None:
    """Not even when it never lets go of the interpreter, so that no thread of its own could end it."""
    code = (
        "import sys; from pathlib import Path; from tests.fanout.jobs import LOCAL, faulty_job; "
        "from vidrep_pipelines.fanout.runner import run_job; "
        "run_job(faulty_job({'a': 'hang in C'}, LOCAL, log=sys.argv[1]), Path(sys.argv[2]))"
    )
    log = tmp_path / "log"
    command = [sys.executable, "-c", code, str(log), str(tmp_path / "out")]
    environment = {**os.environ, MARK: str(tmp_path)}
    driver = subprocess.Popen(command, cwd=project_root, env=environment)
    wait_for(lambda: bool(executions(log)), "not started")
    assert len(running_with(f"{MARK}={tmp_path}")) >= 2
    driver.kill()
    driver.wait()
    wait_for(lambda: not running_with(f"{MARK}={tmp_path}"), "the hung worker lives on")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stopped_driver_cleans_up(tmp_path: Path, project_root: Path, number: signal.Signals) -> None:
    scene = Scene(project_root, tmp_path / "out", tmp_path / "log")
    driver = scene.start()
    _progress(scene, driver, 4)
    driver.send_signal(number)
    assert driver.wait(PATIENCE_SECONDS) != 0
    wait_for(lambda: not running_with(f"{MARK}={scene.folder}"), "processes outlived their driver")
    assert not Bookkeeping(scene.folder).temporary.exists()
    assert not is_complete(scene.folder)
    assert len(run_job(slow_job(str(scene.log)), scene.folder).ids) == ITEMS
    assert len(executions(scene.log)) <= ITEMS + 2


@pytest.mark.parametrize("moment", ["workers start", "workers work"])
def test_ctrl_c_for_the_whole_group_ends_the_run_and_loses_nothing(
    tmp_path: Path, project_root: Path, moment: str
) -> None:
    """A terminal sends it to the workers as well; only the driver may speak."""
    scene, errors = Scene(project_root, tmp_path / "out", tmp_path / "log"), tmp_path / "errors"
    driver = scene.start(errors)
    if moment == "workers start":
        wait_for(lambda: len(_starting(scene)) == 2, "no workers")
    else:
        _progress(scene, driver, 6)
    os.killpg(driver.pid, signal.SIGINT)
    assert driver.wait(PATIENCE_SECONDS) == -signal.SIGINT
    wait_for(lambda: not running_with(f"{MARK}={scene.folder}"), "processes outlived their driver")
    text = errors.read_text()
    assert text.count("KeyboardInterrupt") == 1 and "spawn_main" not in text, text
    started = len(executions(scene.log))
    finished = [
        row["facts"]["value"]
        for path in journal_files(Bookkeeping(scene.folder).journals)
        for _, row in read_journal(path)
    ]
    assert started - 2 <= len(finished) < ITEMS
    assert not Bookkeeping(scene.folder).temporary.exists()
    run_job(slow_job(str(scene.log)), scene.folder)
    again = executions(scene.log)[started:]
    assert sorted(again) == sorted(set(range(ITEMS)) - set(finished))


def _starting(scene: Scene) -> list[int]:
    """Worker processes, from the very first moment on."""
    return [
        process for process in running_with(f"{MARK}={scene.folder}") if b"spawn_main" in command_of(process)
    ]


@pytest.mark.parametrize("lost", ["journal", "manifest", "product", "everything"])
def test_what_is_lost_is_done_again_and_nothing_else(tmp_path: Path, lost: str) -> None:
    """Facts stand in the records only: a product without its record is made again, in place."""
    job = value_job(range(6), log=str(tmp_path / "log"))
    whole = run_job(job, tmp_path / "whole")
    books = Bookkeeping(tmp_path / "out")
    if lost == "journal":
        _interrupt_after(3, tmp_path)
        (journal,) = journal_files(books.journals)
        journal.unlink()
        expected = list(range(6))
    else:
        run_job(job, tmp_path / "out")
        expected = {"manifest": list(range(6)), "product": [4], "everything": list(range(6))}[lost]
        for path in {
            "manifest": (books.manifest / "part-00000.parquet",),
            "product": (tmp_path / "out" / "folder_0" / "item 4.txt",),
            "everything": (books.manifest / "part-00000.parquet", books.manifest / "_stamp.json"),
        }[lost]:
            path.unlink()
    before = len(executions(tmp_path / "log"))
    parts = run_job(job, tmp_path / "out")
    assert executions(tmp_path / "log")[before:] == expected
    pd.testing.assert_frame_equal(parts.table.drop(columns="seconds"), whole.table.drop(columns="seconds"))
    assert products(tmp_path / "out") == products(tmp_path / "whole")


def _interrupt_after(items: int, scratch: Path) -> None:
    """Runs the job of six items in ``out`` until that many are done."""

    class Stopped(BaseException):
        pass

    def payload(position: int) -> dict[str, object]:
        if position == items:
            raise Stopped
        return job.items[position].payload  # type: ignore[no-any-return]

    job = value_job(range(6), log=str(scratch / "log"))
    names, digests = [item.id for item in job.items], [item.digest for item in job.items]
    with pytest.raises(Stopped):
        run_job(replace(job, items=ItemTable.of(names, digests, payload)), scratch / "out")
