import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from scripts.site import measured, pipelines

from vidrep_pipelines.common.provenance import Provenance
from vidrep_pipelines.pipeline_registry import register_pipelines


def record(dataset: str, environment: str = "laptop") -> Provenance:
    return Provenance(
        dataset=dataset,
        measured_on="the videos in /home/me/videos",
        environment=environment,
        seconds=90.0,
        device="2 cores",
        commit="commit 1a2b",
        pipelines=("eval_davis",),
        finished="2026-12-01T10:00:00+00:00",
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder with a training, an evaluation, and one of another environment."""
    rows = [("J&F-Mean", "rsp", 41.25, 38.0, 44.0), ("J&F-Mean", "random", 35.0, 34.0, 36.0)]
    table = pd.DataFrame(rows, columns=["measure", "encoder", "value", "low", "high"])
    for name, environment in (("davis", "laptop"), ("jhmdb", "cluster")):
        place = tmp_path / f"08_reporting/{name}/summary.parquet"
        place.parent.mkdir(parents=True)
        table.to_parquet(place)
        record(f"{name}.summary", environment).write_beside(place)
    place = tmp_path / "08_reporting/rsp/train_metrics.json"
    place.parent.mkdir()
    place.write_text(json.dumps({"step": 400, "first": {"train/loss": 2.2}, "last": {"train/loss": 1.5}}))
    record("rsp.train_metrics").write_beside(place)
    return tmp_path


def test_records_become_lines(folder: Path) -> None:
    known = measured.found(folder)
    assert set(known) == {"davis.summary", "rsp.train_metrics"}
    assert known["davis.summary"]["result"] == "J&F-Mean: rsp 41.2 [38, 44], random 35 [34, 36] (floor)"
    assert known["rsp.train_metrics"]["result"] == "400 updates, loss 2.2 to 1.5"
    assert "/home" not in json.dumps(known)


def test_the_table_shows_them_where_they_were_found(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[Any]
) -> None:
    place = tmp_path / "measured.json"
    monkeypatch.setattr(measured, "MEASURED", place)
    monkeypatch.setattr(measured, "ROOT", tmp_path)
    monkeypatch.setattr("sys.argv", ["measured", str(folder)])
    measured.main()
    assert "measured.json tells of 2 results" in capsys.readouterr().out
    registered = register_pipelines()
    assert "| 1.5 min on 2 cores: J&F-Mean: rsp 41.2" in pipelines.row("eval_davis", registered["eval_davis"])
    assert "1.5 min" not in pipelines.row("eval_davis_systems", registered["eval_davis_systems"])
    assert "400 updates" in pipelines.row("pretrain_rsp", registered["pretrain_rsp"])
    assert pipelines.row("resize", registered["resize"]).endswith("|  |")
    assert measured.told("resize", [SimpleNamespace(outputs=["nothing"])]) == ""


def test_what_is_committed_names_results_that_pipelines_make() -> None:
    made = {name for pipeline in register_pipelines().values() for name in pipeline.datasets()}
    assert set(measured.records()) <= made
    assert all({"seconds", "device", "result", "commit"} <= set(each) for each in measured.records().values())
