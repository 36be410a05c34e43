"""Resizing real files: killed at many moments, on every engine and in shards, it gives the same clips."""

import os
import random
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.fanout.processes import command_of, kill_if_alive, parent_of, running_with, wait_for
from tests.helpers import videos
from tests.helpers.journals import finished_rows
from tests.helpers.project import run_pipeline, start_kedro
from vidrep_pipelines.data.video.packet_index_file import index_to_bytes, load_packet_index
from vidrep_pipelines.fanout.runner import is_complete, load_parts

CLIPS = 60
MOMENTS = 20
IGNORED = ["seconds", "attempts"]
CLIP_FOLDER = "03_primary/resized_videos"


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of sixty short videos, two of them broken."""
    folder = tmp_path_factory.mktemp("raw")
    frames = videos.barcode_frames(30, 192, 128)
    for number in range(CLIPS):
        path = folder / f"class {number % 3}" / f"clip {number:02d}.mp4"
        videos.write_video(path, frames[number % 7 :], rate=20 + number % 5)
    videos.remove_moov(folder / "class 0" / "clip 30.mp4")
    videos.flip_bytes(folder / "class 1" / "clip 31.mp4")
    return folder


@pytest.fixture(scope="module")
def undisturbed(raw: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("undisturbed")
    for pipeline in ("ingest", "resize"):
        run_pipeline(pipeline, data, parameters(raw, engine="serial"))
    return data


def parameters(raw: Path, **fanout: Any) -> dict[str, Any]:
    settings = {"workers": 2, "attempts": 20, **fanout}
    return {"ingest": {"root": str(raw)}, "resize": {"short_side": 64}, "fanout": settings}


def start(data: Path, values: Mapping[str, Any]) -> subprocess.Popen[bytes]:
    return start_kedro("resize", data, values, data / "log.txt")


def wait_for_rows(driver: subprocess.Popen[bytes], folder: Path, count: int) -> None:
    wait_for(lambda: len(finished_rows(folder)) >= count or driver.poll() is not None, "no progress")


def products(folder: Path) -> dict[str, bytes]:
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    return {name: content(path) for name, path in files.items() if not name.startswith("_parts/")}


def content(path: Path) -> bytes:
    """All bytes of a product, but for the time of the clip's last change in its packet index."""
    if path.suffix != ".packets":
        return path.read_bytes()
    index = load_packet_index(path)
    return index_to_bytes(replace(index, stamp=replace(index.stamp, mtime_ns=0)))


def check_equal(data: Path, undisturbed: Path) -> None:
    found, expected = data / CLIP_FOLDER, undisturbed / CLIP_FOLDER
    assert products(found) == products(expected)
    tables = [load_parts(folder).table.drop(columns=IGNORED) for folder in (found, expected)]
    for table in tables:  # the other one is that of the packet index, which holds a time
        table["checksums"] = table["checksums"].str.split().str[0]
    pd.testing.assert_frame_equal(*tables)
    assert (tables[0]["status"] == "failed").sum() == 1
    assert not list(data.rglob(".*partial-*"))
    names = {path.name for path in (found / "_parts").iterdir()}
    assert names == {"lock", "manifest", "failures.csv"}
    indexes = [pd.read_parquet(folder / "03_primary/resized_index.parquet") for folder in (data, undisturbed)]
    pd.testing.assert_frame_equal(*indexes)


def ingested(raw: Path, data: Path) -> Path:
    run_pipeline("ingest", data, parameters(raw, engine="serial"))
    return data


def workers_of(driver: int) -> list[int]:
    """Child processes of the driver that work on clips (and not its resource tracker)."""
    children = [process for process in running_with("VIDREP_DATA=") if parent_of(process) == driver]
    return sorted(process for process in children if b"spawn_main" in command_of(process))


@pytest.mark.slow
def test_killed_at_twenty_moments(raw: Path, undisturbed: Path, tmp_path: Path) -> None:
    generator = random.Random(3)
    data = ingested(raw, tmp_path)
    folder, values = data / CLIP_FOLDER, parameters(raw)
    kept: dict[Path, tuple[int, int]] = {}
    driver = start(data, values)
    for moment in range(MOMENTS):
        wait_for_rows(driver, folder, len(finished_rows(folder)) + generator.randint(1, 2))
        assert driver.poll() is None, (data / "log.txt").read_text()[-2000:]
        if moment % 4:
            workers = workers_of(driver.pid)
            if workers:
                kill_if_alive(generator.choice(workers))
            continue
        driver.kill()
        driver.wait()
        wait_for(lambda: not running_with(f"VIDREP_DATA={data}"), "processes outlived their driver")
        assert not is_complete(folder)
        for row in finished_rows(folder):
            path = folder / f"{row['id']}.mp4"
            if row["status"] == "ok":
                kept.setdefault(path, (path.stat().st_ino, path.stat().st_mtime_ns))
        driver = start(data, values)
    assert driver.wait(timeout=120) == 0, (data / "log.txt").read_text()[-2000:]
    assert len(kept) >= 5
    assert all((path.stat().st_ino, path.stat().st_mtime_ns) == state for path, state in kept.items())
    wait_for(lambda: not running_with(f"VIDREP_DATA={data}"), "processes outlived their driver")
    check_equal(data, undisturbed)


@pytest.mark.slow
def test_three_shards_at_once(raw: Path, undisturbed: Path, tmp_path: Path) -> None:
    """As three tasks of a job array; each ends with success after the clips."""
    data = ingested(raw, tmp_path)
    shards = [start(data, parameters(raw, workers=1, shard=f"{number}/3")) for number in (1, 2, 3)]
    assert [shard.wait(timeout=120) for shard in shards] == [0, 0, 0], (data / "log.txt").read_text()[-2000:]
    log = (data / "log.txt").read_text()
    assert log.count("merges them and goes on") == 3
    assert not is_complete(data / CLIP_FOLDER)
    assert not (data / "03_primary/resized_index.parquet").exists()
    made = products(data / CLIP_FOLDER)
    times = {name: (data / CLIP_FOLDER / name).stat().st_mtime_ns for name in made}
    assert start(data, parameters(raw)).wait(timeout=120) == 0
    assert {name: (data / CLIP_FOLDER / name).stat().st_mtime_ns for name in made} == times
    check_equal(data, undisturbed)


@pytest.mark.slow
def test_dask_with_a_worker_killed(raw: Path, undisturbed: Path, tmp_path: Path) -> None:
    data = ingested(raw, tmp_path)
    driver = start(data, parameters(raw, engine="dask"))
    wait_for_rows(driver, data / CLIP_FOLDER, 8)
    kill_if_alive(random.Random(0).choice(workers_of(driver.pid)))
    assert driver.wait(timeout=120) == 0, (data / "log.txt").read_text()[-2000:]
    check_equal(data, undisturbed)


@pytest.mark.slow
def test_ctrl_c_ends_the_command_at_once_and_loses_nothing(
    raw: Path, undisturbed: Path, tmp_path: Path
) -> None:
    """A terminal sends it to all processes of the command."""
    data = ingested(raw, tmp_path)
    folder, log = data / CLIP_FOLDER, data / "log.txt"
    driver = start(data, parameters(raw))
    wait_for_rows(driver, folder, 6)
    os.killpg(driver.pid, signal.SIGINT)
    assert driver.wait(timeout=30) == 1
    wait_for(lambda: not running_with(f"VIDREP_DATA={data}"), "processes outlived their driver")
    assert "Aborted!" in log.read_text() and "Traceback" not in log.read_text()
    done = {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in folder.rglob("*.mp4")}
    rows = [row["status"] for row in finished_rows(folder)]
    assert 6 <= len(rows) < CLIPS
    assert start(data, parameters(raw)).wait(timeout=120) == 0, log.read_text()[-2000:]
    assert f"resize: {CLIPS} items, {rows.count('ok')} done before" in log.read_text()
    assert all((path.stat().st_ino, path.stat().st_mtime_ns) == state for path, state in done.items())
    check_equal(data, undisturbed)
