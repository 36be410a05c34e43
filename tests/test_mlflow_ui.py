from pathlib import Path

import pytest

from scripts import mlflow_ui
from vidrep_pipelines.pipelines.config import TrackingConfig
from vidrep_pipelines.tracking import TrackedRun


def test_the_address_is_that_of_the_table_of_runs(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path}/mlflow.db"
    TrackedRun.open(TrackingConfig(uri=store, artifacts=tmp_path / "pictures"), "pretrain_rsp").close(
        "FINISHED"
    )
    address = mlflow_ui.runs_address(store, 5001)
    assert address == "http://127.0.0.1:5001/#/experiments/1/runs?workflowType=machine_learning"
    nowhere = mlflow_ui.runs_address(store, 5000, "another")
    assert nowhere == "http://127.0.0.1:5000/#/experiments?workflowType=machine_learning"


def test_without_runs_it_says_how_to_get_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIDREP_DATA", str(tmp_path))
    with pytest.raises(SystemExit, match="nothing was trained or evaluated yet"):
        mlflow_ui.main()
