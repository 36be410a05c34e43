from dataclasses import replace
from pathlib import Path

import pytest
from kedro.io import DatasetError

from tests.fanout.jobs import SERIAL, executions, faulty_job, value_job
from vidrep_pipelines.datasets.resumable_parts import ResumableParts
from vidrep_pipelines.fanout.bookkeeping import Bookkeeping


def test_half_finished_job_does_not_exist(tmp_path: Path) -> None:
    dataset = ResumableParts(filepath=str(tmp_path / "out"))
    job = faulty_job({"a": None, "b": "disk full"}, SERIAL)
    with pytest.raises(DatasetError, match="No space"):
        dataset.save(job)
    assert (tmp_path / "out" / "a.txt").exists()
    assert not dataset.exists()
    with pytest.raises(DatasetError, match="not finished"):
        dataset.load()


def test_changed_job_that_was_interrupted_does_not_exist(tmp_path: Path) -> None:
    dataset = ResumableParts(filepath=str(tmp_path / "out"))
    job = faulty_job({"a": None, "b": None}, SERIAL)
    dataset.save(job)
    assert dataset.exists()
    broken = replace(job.items[1], payload={"value": 1, "fault": "disk full"}, digest="new")
    with pytest.raises(DatasetError):
        dataset.save(replace(job, items=[job.items[0], broken]))
    assert not dataset.exists()


def test_saving_twice_does_nothing_twice(tmp_path: Path) -> None:
    dataset = ResumableParts(filepath=tmp_path / "out")
    for _ in range(2):
        dataset.save(value_job([1, 2], log=str(tmp_path / "log")))
    assert executions(tmp_path / "log") == [1, 2]
    assert dataset.load().ids == ["folder_1/item 1", "folder_0/item 2"]


def test_preview_starts_with_the_counts_and_the_failures(tmp_path: Path) -> None:
    dataset = ResumableParts(filepath=tmp_path)
    dataset.save(faulty_job({"a": None, "b": "raise", "c": None}, SERIAL))
    shown = dataset.preview(rows=2)
    column = shown["columns"].index("id")
    assert [row[column] for row in shown["data"]] == ["all 3 items: 2 ok, 1 failed", "b", "a"]


def test_preview_of_a_damaged_manifest_is_empty(tmp_path: Path) -> None:
    dataset = ResumableParts(filepath=tmp_path)
    dataset.save(value_job([1]))
    (Bookkeeping(tmp_path).manifest / "part-00000.parquet").write_bytes(b"torn")
    assert dataset.preview() == {}
    with pytest.raises(DatasetError, match="damaged"):
        dataset.load()


def test_a_shard_ends_the_run_with_success_until_all_are_merged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    dataset = ResumableParts(filepath=tmp_path)
    job = value_job(range(4))
    shard = replace(job, config=SERIAL.model_copy(update={"shard": "1/2"}))
    with caplog.at_level("INFO"), pytest.raises(SystemExit) as ended:
        dataset.save(shard)
    assert ended.value.code == 0
    assert "shard 1/2 of 'values' is done" in caplog.text
    assert not dataset.exists()
    dataset.save(job)
    assert len(dataset.load().ids) == 4
    dataset.save(shard)
    assert dataset.exists()
