from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from kedro.io import DatasetError

from tests.fanout.jobs import SERIAL, faulty_job, value_job
from vidrep_pipelines.datasets.frame_store import CodeStoreDataset
from vidrep_pipelines.datasets.resumable_parts import ResumableParts
from vidrep_pipelines.fanout.completeness import has_all, has_some, require_all, require_some
from vidrep_pipelines.fanout.errors import FanOutError
from vidrep_pipelines.fanout.runner import run_job


def test_a_stage_of_which_every_item_failed_stops_with_its_own_reasons(tmp_path: Path) -> None:
    dataset = ResumableParts(filepath=tmp_path / "out")
    job = faulty_job({"a": "raise", "b": "raise", "c": "bad input"}, SERIAL)
    for _ in range(2):  # a second run does nothing and says the same
        with pytest.raises(DatasetError) as caught:
            dataset.save(job)
        text = str(caught.value)
        assert "faults: all 3 items failed" in text
        assert "      2  ValueError: cannot read '0' (a, b)" in text
        assert "      1  2 is no video (c)" in text
        listed = tmp_path / "out/_parts/failures.csv"
        assert str(listed) in text and pd.read_csv(listed)["id"].tolist() == ["a", "b", "c"]
        assert "fanout.retry_failed=true" in text
        assert not dataset.exists()


def test_a_stage_goes_on_with_what_succeeded(tmp_path: Path) -> None:
    dataset = ResumableParts(filepath=tmp_path / "out")
    dataset.save(faulty_job({"a": "raise", "b": None}, SERIAL))
    assert dataset.exists() and dataset.load().ids == ["b"]


def test_a_stage_without_items_has_not_failed(tmp_path: Path) -> None:
    dataset = ResumableParts(filepath=tmp_path / "out")
    dataset.save(value_job([]))
    assert dataset.exists() and dataset.load().ids == []


def test_a_shard_may_fail_as_a_whole(tmp_path: Path) -> None:
    config = SERIAL.model_copy(update={"shard": "1/2"})
    with pytest.raises(SystemExit):
        ResumableParts(filepath=tmp_path / "out").save(faulty_job({"a": "raise", "b": "raise"}, config))


def test_what_is_needed_as_a_whole(tmp_path: Path) -> None:
    run_job(faulty_job({"a": None, "b": "raise"}, SERIAL), tmp_path)
    require_some(tmp_path)
    assert has_some(tmp_path) and not has_some(tmp_path / "none")
    assert not has_all(tmp_path) and not has_all(tmp_path / "none")
    with pytest.raises(FanOutError, match=r"1 of 2 parts failed, such as b: ValueError: cannot read '1'"):
        require_all(tmp_path, "parts failed")


def test_codes_of_some_shards_are_not_taken_for_all_and_are_tried_again(tmp_path: Path) -> None:
    dataset = CodeStoreDataset(filepath=tmp_path / "codes", frames=tmp_path / "frames")
    job = faulty_job({"train/a": None, "train/b": "raise"}, SERIAL)
    with pytest.raises(DatasetError, match=r"1 of 2 shards could not be encoded, such as train/b"):
        dataset.save(job)
    assert not dataset.exists()
    healed = [replace(item, payload={**item.payload, "fault": None}) for item in job.items]
    dataset.save(replace(job, items=healed))
    assert dataset.exists()
