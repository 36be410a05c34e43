"""Parts of a job that run on their own, and the run that merges them."""

import logging
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from tests.fanout.jobs import LOCAL, SERIAL, executions, faulty_job, products, value_job
from tests.fanout.kill_target import ITEMS, slow_job
from vidrep_pipelines.fanout.bookkeeping import Bookkeeping
from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.fanout.errors import FanOutError
from vidrep_pipelines.fanout.job import Job
from vidrep_pipelines.fanout.runner import complete_job, is_complete, load_parts, run_job
from vidrep_pipelines.fanout.shard import Shard

IGNORED = ["seconds", "attempts"]


def _sharded(job: Job, shard: str) -> Job:
    return replace(job, config=job.config.model_copy(update={"shard": shard}))


def _entries(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "_parts").iterdir())


def test_three_at_once_and_a_merge_equal_one_run(tmp_path: Path, project_root: Path) -> None:
    folder, log = tmp_path / "out", tmp_path / "log"
    command = [sys.executable, "-m", "tests.fanout.kill_target", str(folder), str(log)]
    shards = [subprocess.Popen([*command, f"{number}/3"], cwd=project_root) for number in (1, 2, 3)]
    assert [shard.wait(60) for shard in shards] == [0, 0, 0]
    assert not is_complete(folder)
    assert sorted(executions(log)) == list(range(ITEMS))
    merged = run_job(slow_job(str(log)), folder)
    assert len(executions(log)) == ITEMS
    undisturbed = run_job(value_job(range(ITEMS)), tmp_path / "whole")
    pd.testing.assert_frame_equal(merged.table.drop(columns=IGNORED), undisturbed.table.drop(columns=IGNORED))
    assert merged.content_digest == undisturbed.content_digest
    assert products(folder) == products(tmp_path / "whole")
    assert _entries(folder) == ["lock", "manifest"]


def test_the_merge_does_what_no_shard_did(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    job = value_job(range(12), log=str(tmp_path / "log"))
    with caplog.at_level(logging.INFO):
        assert not complete_job(_sharded(job, "2/3"), tmp_path / "out")
    own = [item.payload["value"] for item in job.items if item.id in Shard(2, 3)]
    assert 0 < len(own) < 12
    assert executions(tmp_path / "log") == own
    assert f"values: shard 2/3 has {len(own)} of 12 items" in caplog.text
    assert f"values (shard 2/3): {len(own)} items, 0 done before, {len(own)} done now" in caplog.text
    with pytest.raises(FanOutError, match="no job was run"):
        load_parts(tmp_path / "out")
    caplog.clear()
    with caplog.at_level(logging.INFO):
        assert complete_job(job, tmp_path / "out")
    assert f"values: 12 items, {len(own)} done before, {12 - len(own)} done now" in caplog.text
    assert sorted(executions(tmp_path / "log")) == list(range(12))
    assert len(load_parts(tmp_path / "out").ids) == 12


def test_shards_of_a_finished_job_pass_through(tmp_path: Path) -> None:
    job = value_job(range(6), log=str(tmp_path / "log"))
    run_job(job, tmp_path / "out")
    assert complete_job(_sharded(job, "1/2"), tmp_path / "out")
    assert len(run_job(_sharded(job, "1/2"), tmp_path / "out").ids) == 6
    assert len(executions(tmp_path / "log")) == 6
    assert _entries(tmp_path / "out") == ["lock", "manifest"]


def test_a_shard_of_a_grown_job_does_its_new_items_only(tmp_path: Path) -> None:
    run_job(value_job(range(6), log=str(tmp_path / "log")), tmp_path / "out")
    grown = value_job(range(12), log=str(tmp_path / "log"))
    for number in (1, 2):
        assert not complete_job(_sharded(grown, f"{number}/2"), tmp_path / "out")
    assert sorted(executions(tmp_path / "log")) == list(range(12))
    assert run_job(grown, tmp_path / "out").table["value"].tolist() == list(range(12))


def test_another_division_goes_on_where_the_first_one_stopped(tmp_path: Path) -> None:
    job = value_job(range(20), log=str(tmp_path / "log"))
    complete_job(_sharded(job, "1/2"), tmp_path / "out")
    for number in range(1, 6):
        complete_job(_sharded(job, f"{number}/5"), tmp_path / "out")
    assert sorted(executions(tmp_path / "log")) == list(range(20))
    assert run_job(job, tmp_path / "out").table["value"].tolist() == list(range(20))
    assert len(executions(tmp_path / "log")) == 20


def test_who_may_work_at_the_same_time(tmp_path: Path) -> None:
    job = value_job(range(6))
    with Bookkeeping(tmp_path, Shard(1, 3)).lock():
        complete_job(_sharded(job, "2/3"), tmp_path)
        complete_job(_sharded(job, "2/2"), tmp_path)
        with pytest.raises(FanOutError, match=r"Another run is working in .*shard-001-of-003"):
            complete_job(_sharded(job, "1/3"), tmp_path)
        with pytest.raises(FanOutError, match=r"Another run is working in .*_parts"):
            complete_job(job, tmp_path)
    with (
        Bookkeeping(tmp_path).lock(),
        pytest.raises(FanOutError, match=r"Another run is working in .*_parts"),
    ):
        complete_job(_sharded(job, "1/3"), tmp_path)
    assert complete_job(job, tmp_path)


def test_failures_are_judged_over_the_whole_job(tmp_path: Path) -> None:
    strict = FanOutConfig(engine="serial", max_failed_fraction=0.3)
    faults = {f"clip {number}": "raise" if number == 3 else None for number in range(6)}
    job = faulty_job(faults, strict)
    number = next(number for number in range(1, 7) if "clip 3" in Shard(number, 6))
    parts = run_job(_sharded(job, f"{number}/6"), tmp_path)
    assert parts.failed["id"].tolist() == ["clip 3"]
    assert len(run_job(job, tmp_path).ids) == 5


@pytest.mark.parametrize("lost", ["manifest", "everything"])
def test_a_shard_whose_records_were_lost_is_done_again(tmp_path: Path, lost: str) -> None:
    job = value_job(range(8), log=str(tmp_path / "log"))
    complete_job(_sharded(job, "1/2"), tmp_path / "out")
    first = executions(tmp_path / "log")
    root = Bookkeeping(tmp_path / "out", Shard(1, 2)).root
    shutil.rmtree(root if lost == "everything" else root / "manifest")
    complete_job(_sharded(job, "1/2"), tmp_path / "out")
    assert executions(tmp_path / "log") == first * 2


def test_more_shards_than_items(tmp_path: Path) -> None:
    job = value_job(range(2), LOCAL)
    for number in range(1, 8):
        assert not complete_job(_sharded(job, f"{number}/7"), tmp_path)
    assert len(run_job(job, tmp_path).ids) == 2
    assert complete_job(replace(job, items=[], config=SERIAL), tmp_path / "none")
    assert not complete_job(_sharded(replace(job, items=[]), "1/2"), tmp_path / "none of two")
