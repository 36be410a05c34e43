from pathlib import Path

import pytest
from kedro.io import DatasetError

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.datasets.run_records import RunRecords


def test_runs_add_up_and_replace_themselves(tmp_path: Path) -> None:
    records = RunRecords(filepath=tmp_path / "runs")
    assert not records.exists() and records.preview() == {}
    records.save({"run": "b2", "psnr": 20.0})
    records.save({"run": "a1", "psnr": 21.0, "lpips": 0.5})
    records.save({"run": "b2", "psnr": 22.0})
    table = records.load()
    assert table["run"].tolist() == ["a1", "b2"] and table["psnr"].tolist() == [21.0, 22.0]
    assert table["lpips"].isna().tolist() == [False, True]
    assert records.exists() and len(records.preview()["data"]) == 2


@pytest.mark.parametrize("record", [{"psnr": 1.0}, {"run": "../x"}, {"run": ""}])
def test_records_without_a_name_are_refused(tmp_path: Path, record: dict[str, object]) -> None:
    with pytest.raises(DatasetError, match="name of its run"):
        RunRecords(filepath=tmp_path / "runs").save(record)


@pytest.mark.parametrize("content", ["{", "[1, 2]", "7"])
def test_damaged_record_is_named(tmp_path: Path, content: str) -> None:
    records = RunRecords(filepath=tmp_path / "runs")
    records.save({"run": "a1"})
    (tmp_path / "runs" / "a1.json").write_text(content)
    with pytest.raises((InputError, DatasetError), match=r"a1\.json is damaged"):
        records.load()
    assert records.preview() == {}


def test_hidden_files_are_no_records(tmp_path: Path) -> None:
    records = RunRecords(filepath=tmp_path / "runs")
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs/._a1.json").write_bytes(b"\x00\x05\x16\x07left by a Mac")
    assert not records.exists()
    records.save({"run": "a1"})
    assert records.load()["run"].tolist() == ["a1"]
