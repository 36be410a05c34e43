import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from PIL import Image

from vidrep_pipelines.logged_models import ModelNumbers, PublishedModel
from vidrep_pipelines.pipelines.config import TrackingConfig
from vidrep_pipelines.tracking import TrackedRun


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


def test_names_that_the_server_refuses_cost_nothing(run: TrackedRun, client: MlflowClient) -> None:
    assert run.log_parameters({"classes": {"pour (cup) & go": 1, "plain": 2}}) == []
    assert run.log_metrics("davis.eval_metrics", {"J&F": 0.5, "J": 0.25}) == []
    assert run.log_picture("strip: 50%?", Image.new("RGB", (2, 2))) == []
    found = client.get_run(run.run_id).data
    assert found.params["classes.plain"] == "2"
    assert [value for name, value in found.params.items() if "pour" in name] == ["1"]
    assert found.metrics["davis.eval_metrics/J"] == 0.25
    assert [value for name, value in found.metrics.items() if "J_F" in name] == [0.5]
    assert [file.path.startswith("strip_ 50") for file in client.list_artifacts(run.run_id)] == [True]


def test_what_the_server_refuses_all_the_same_is_told(run: TrackedRun, client: MlflowClient) -> None:
    run.log_parameters({"a": 1})
    (refused,) = run.log_parameters({"a": 2, "b": 3})  # a value is never changed
    assert "Changing param values is not allowed" in refused
    assert client.get_run(run.run_id).data.params == {"a": "1", "b": "3"}


def test_passwords_of_addresses_are_not_logged(run: TrackedRun, client: MlflowClient) -> None:
    run.log_parameters({"fanout": {"scheduler": "tls://me:secret@host:8786"}})
    assert client.get_run(run.run_id).data.params == {"fanout.scheduler": "tls://host:8786"}


def test_tags_data_and_a_description(run: TrackedRun, client: MlflowClient) -> None:
    assert run.tag({"commit": "1a2b", "data (x)": "clips", "empty": ""}) == []
    assert run.describe("**rsp** 41.2") == []
    assert run.log_data("davis", "1f2e", "12 clips", "evaluation") == []
    found = client.get_run(run.run_id)
    assert found.data.tags["commit"] == "1a2b" and "empty" not in found.data.tags
    assert found.data.tags["mlflow.note.content"] == "**rsp** 41.2"
    (read,) = found.inputs.dataset_inputs
    assert (read.dataset.name, read.dataset.digest, read.dataset.source) == (
        "davis",
        "1f2e",
        '{"data": "12 clips"}',
    )


def test_a_model_is_linked_to_its_numbers_and_found_again_by_later_runs(
    config: TrackingConfig, client: MlflowClient
) -> None:
    training = ModelNumbers("toy", "0a", {"training/loss": 0.25})
    measured = ModelNumbers("davis", "1f2e", {"davis/J&F-Mean": 41.2})
    toy = PublishedModel("toy", "d1", "06_models/toy/checkpoint", {"step": "6"}, [training])
    first, later, other = (TrackedRun.open(config, name) for name in ("trained", "measured", "again"))
    assert first.log_model(toy) == []
    assert later.log_model(replace(toy, numbers=[measured])) == []
    assert other.log_model(replace(toy, digest="d2", numbers=[])) == []
    experiment = client.get_experiment_by_name("toy").experiment_id
    (model,) = client.search_logged_models([experiment], "tags.digest = 'd1'")
    assert (model.name, model.source_run_id, model.status) == ("toy", first.run_id, "READY")
    assert model.params == {"step": "6"} and model.tags["checkpoint"] == toy.place
    found = {metric.key: (metric.value, metric.dataset_name, metric.run_id) for metric in model.metrics}
    assert found.pop("training/loss") == (0.25, "toy", first.run_id)
    ((name, value),) = found.items()
    assert name.startswith("davis/J_F-Mean") and value == (41.2, "davis", later.run_id)
    assert [each.model_id for each in client.get_run(first.run_id).outputs.model_outputs] == [model.model_id]
    assert [each.model_id for each in client.get_run(later.run_id).inputs.model_inputs] == [model.model_id]
    assert len(client.search_logged_models([experiment], "name = 'toy'")) == 2
    assert list(Path(model.artifact_location.removeprefix("file://")).rglob("*")) == []


def test_an_experiment_is_shown_as_one_with_runs_to_compare(
    config: TrackingConfig, client: MlflowClient
) -> None:
    kind = "mlflow.experimentKind"
    TrackedRun.open(config, "first")
    assert client.get_experiment_by_name("toy").tags[kind] == "custom_model_development"
    client.create_experiment("of an earlier version")
    TrackedRun.open(config.model_copy(update={"experiment": "of an earlier version"}), "later")
    assert client.get_experiment_by_name("of an earlier version").tags[kind] == "custom_model_development"


def test_an_experiment_that_another_run_creates_meanwhile_is_used(
    config: TrackingConfig, client: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    TrackedRun.open(config, "faster")
    real, answers = MlflowClient.get_experiment_by_name, iter([True])

    def not_yet(self: MlflowClient, name: str) -> Any:
        return None if next(answers, False) else real(self, name)

    monkeypatch.setattr(MlflowClient, "get_experiment_by_name", not_yet)
    run = TrackedRun.open(config, "slower")
    assert client.get_run(run.run_id).info.run_name == "slower"


def test_a_database_that_another_run_creates_meanwhile_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The slower of two first runs finds the database of the faster one in the place of its own."""
    path, real = tmp_path / "mlflow.db", os.link
    config = TrackingConfig(uri=f"sqlite:///{path}", experiment="toy", artifacts=tmp_path / "pictures")

    def be_overtaken(source: Path, target: Path) -> None:
        monkeypatch.setattr(os, "link", real)
        shutil.copy(source, target)
        faster.append(TrackedRun.open(config, "faster").run_id)
        real(source, target)

    faster: list[str] = []
    monkeypatch.setattr(os, "link", be_overtaken)
    slower = TrackedRun.open(config, "slower").run_id
    client = MlflowClient(tracking_uri=config.uri)
    assert [client.get_run(run).info.run_name for run in (*faster, slower)] == ["faster", "slower"]
    assert [entry.name for entry in tmp_path.iterdir() if entry.is_file()] == ["mlflow.db"]


def test_a_database_comes_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = TrackingConfig(uri=f"sqlite:///{tmp_path}/mlflow.db", artifacts=tmp_path / "pictures")

    def killed(*_: object) -> None:
        assert not (tmp_path / "mlflow.db").exists()
        raise KeyboardInterrupt

    monkeypatch.setattr("mlflow.store.db.utils._verify_schema", killed)  # after the tables were made
    with pytest.raises(KeyboardInterrupt):
        TrackedRun.open(config, "killed")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_two_first_runs_at_once(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from vidrep_pipelines.pipelines.config import TrackingConfig\n"
        "from vidrep_pipelines.tracking import TrackedRun\n"
        "import mlflow.store.tracking.sqlalchemy_store\n"
        "folder = Path(sys.argv[1])\n"
        "print(flush=True), sys.stdin.readline()\n"
        "config = TrackingConfig(uri=f'sqlite:///{folder}/mlflow.db', artifacts=folder / 'pictures')\n"
        "run = TrackedRun.open(config, 'x')\n"
        "run.log_parameters({'a': 1})\n"
        "run.close('FINISHED')\n"
        "print(run.run_id)\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    started = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    for process in started:
        assert process.stdout is not None
        process.stdout.readline()  # both have imported what they need
    for process in started:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    runs = [process.communicate()[0].strip() for process in started]
    client = MlflowClient(tracking_uri=f"sqlite:///{tmp_path}/mlflow.db")
    assert [client.get_run(run).info.status for run in runs] == ["FINISHED", "FINISHED"]


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
