import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlflow import MlflowClient
from PIL import Image

from vidrep_pipelines.pipelines.config import TrackingConfig
from vidrep_pipelines.tracking import TrackedRun, flatten


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> TrackingConfig:
    folder = tmp_path_factory.mktemp("tracking")
    return TrackingConfig(
        uri=f"sqlite:///{folder}/not/there yet/mlflow.db", experiment="toy", artifacts=folder / "pictures"
    )


@pytest.fixture
def client(config: TrackingConfig) -> MlflowClient:
    return MlflowClient(tracking_uri=config.uri)


@pytest.fixture
def run(config: TrackingConfig) -> TrackedRun:
    return TrackedRun.open(config, "pretrain_toy")


def test_runs_of_one_experiment_are_filed_together(config: TrackingConfig) -> None:
    runs = [TrackedRun.open(config, name) for name in ("first", "second")]
    client = MlflowClient(tracking_uri=config.uri)
    infos = [client.get_run(run.run_id).info for run in runs]
    assert [info.run_name for info in infos] == ["first", "second"]
    assert {info.status for info in infos} == {"RUNNING"}
    experiment = client.get_experiment_by_name("toy")
    assert {info.experiment_id for info in infos} == {experiment.experiment_id}
    assert config.artifacts is not None
    assert experiment.artifact_location == config.artifacts.as_uri()


def test_many_and_long_parameters(run: TrackedRun, client: MlflowClient) -> None:
    numbers = {f"p{number}": number for number in range(230)}
    odd = {"text": "x" * 9000, "none": None, "empty": "", "list": [1, "a"], "flag": False, "small": 1e-7}
    run.log_parameters({"toy": {"block": numbers, **odd}})
    logged = client.get_run(run.run_id).data.params
    assert len(logged) == 236
    assert logged["toy.block.p229"] == "229"
    assert logged["toy.text"] == "x" * 500
    assert (logged["toy.none"], logged["toy.list"], logged["toy.flag"]) == ("None", "[1, 'a']", "False")
    assert logged["toy.small"] == "1e-07"


def test_only_numbers_become_metrics(run: TrackedRun, client: MlflowClient) -> None:
    metrics = {
        "loss": 0.25,
        "step": 7,
        "status": "trained",
        "ok": True,
        "none": None,
        "last": {"train/kl": 3},
    }
    run.log_metrics("toy.train_metrics", metrics)
    assert client.get_run(run.run_id).data.metrics == {
        "toy.train_metrics/loss": 0.25,
        "toy.train_metrics/step": 7.0,
        "toy.train_metrics/last.train/kl": 3.0,
    }


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P"])
def test_pictures_of_every_kind(run: TrackedRun, client: MlflowClient, mode: str, tmp_path: Path) -> None:
    run.log_picture("toy.curves", Image.new(mode, (5, 4), 1 if mode in "LP" else "red"))
    path = client.download_artifacts(run.run_id, "toy.curves.png", str(tmp_path))
    with Image.open(path) as picture:
        assert (picture.size, picture.mode) == ((5, 4), "RGB")
        assert mode in "LP" or picture.getpixel((0, 0)) == (255, 0, 0)


@pytest.mark.parametrize("status", ["FINISHED", "FAILED", "KILLED"])
def test_closing(run: TrackedRun, client: MlflowClient, status: str) -> None:
    run.close(status)
    info = client.get_run(run.run_id).info
    assert info.status == status
    assert info.end_time >= info.start_time


@pytest.fixture
def without_settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An environment that says nothing about MLflow's patience, before and after."""
    for name in ("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "MLFLOW_HTTP_REQUEST_TIMEOUT"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    yield


@pytest.mark.usefixtures("without_settings")
def test_a_dead_server_is_given_up_soon(config: TrackingConfig) -> None:
    TrackedRun.open(config, "x")
    assert int(os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"]) <= 2
    assert int(os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"]) <= 30


@pytest.mark.usefixtures("without_settings")
def test_the_patience_that_a_user_chose_is_kept(
    config: TrackingConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "9")
    TrackedRun.open(config, "x")
    assert os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == "9"


keys = st.text("abc", min_size=1, max_size=3)
trees = st.dictionaries(
    keys, st.recursive(st.integers(), lambda inner: st.dictionaries(keys, inner, min_size=1)), max_size=4
)


@given(trees)
def test_flat_names_lead_to_the_same_values(tree: dict[str, Any]) -> None:
    def leaves(value: Any) -> int:
        return sum(map(leaves, value.values())) if isinstance(value, dict) else 1

    flat = flatten(tree)
    assert len(flat) == leaves(tree)
    for name, value in flat.items():
        found: Any = tree
        for key in name.split("."):
            found = found[key]
        assert found == value
