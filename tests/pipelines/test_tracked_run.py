"""A small pretraining with tracking: its curves, and what running it again adds."""

import logging
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from tests.helpers.html_page import Page
from tests.helpers.project import TINY, merged, run_pipeline
from tests.helpers.videos import write_video
from vidrep_pipelines.common.provenance import Provenance


@pytest.fixture(scope="module")
def parameters(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    videos = tmp_path_factory.mktemp("videos")
    for number in range(4):
        write_video(videos / "pour" / f"{number}.mp4", 20, width=48, height=32, seed=number)
    return merged(
        TINY,
        {
            "ingest": {"root": str(videos)},
            "resize": {"short_side": 32},
            "fanout": {"engine": "serial"},
            "tracking": {"enabled": True, "experiment": "tracked"},
            "rsp": {"objective": {"prior_decode_every": 4}},
        },
    )


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, parameters: dict[str, Any]) -> Path:
    folder = tmp_path_factory.mktemp("tracked")
    run_pipeline("pretrain_rsp", folder, parameters)
    return folder


def client_of(data: Path) -> MlflowClient:
    return MlflowClient(tracking_uri=f"sqlite:///{data}/mlflow.db")


def runs_in(data: Path) -> list[Run]:
    client = client_of(data)
    experiment = client.get_experiment_by_name("tracked")
    return list(client.search_runs([experiment.experiment_id], order_by=["attributes.start_time ASC"]))


def curves(data: Path, run: Run, name: str) -> list[tuple[int, float]]:
    history = client_of(data).get_metric_history(run.info.run_id, name)
    return [(metric.step, metric.value) for metric in history]


def test_run_has_every_step_of_every_curve(data: Path) -> None:
    (run,) = runs_in(data)
    assert (run.info.run_name, run.info.status) == ("pretrain_rsp", "FINISHED")
    log = pd.read_parquet(data / "08_reporting/rsp/train_log.parquet")
    for name in ("train/loss", "train/kl", "train/loss_prior", "optimizer/learning_rate"):
        logged = log[["step", name]].dropna()
        assert curves(data, run, name) == list(zip(logged["step"], logged[name], strict=True)), name
    assert [step for step, _ in curves(data, run, "train/loss")] == [1, 2, 3, 4, 5, 6]
    assert [step for step, _ in curves(data, run, "train/loss_prior")] == [1, 5]


def test_run_has_parameters_metrics_and_pictures(data: Path, parameters: dict[str, Any]) -> None:
    (run,) = runs_in(data)
    assert run.data.params["rsp.train.steps"] == "6"
    assert run.data.params["rsp.model.image_size"] == "32"
    assert run.data.params["ingest.root"] == Path(parameters["ingest"]["root"]).name
    assert run.data.metrics["rsp.train_metrics/step"] == 6
    client = client_of(data)
    assert {"rsp.loss_curves.png", "rsp.predictions.png"} <= {
        artifact.path for artifact in client.list_artifacts(run.info.run_id)
    }
    pictures = {artifact.path for artifact in client.list_artifacts(run.info.run_id, "pictures")}
    assert pictures == {f"pictures/step-{step:08d}.png" for step in (2, 4, 6)}
    assert not (Path.cwd() / "mlruns").exists()


def test_run_says_what_it_was_trained_on_and_made_with(data: Path, parameters: dict[str, Any]) -> None:
    (run,) = runs_in(data)
    tags, folder = run.data.tags, Path(parameters["ingest"]["root"]).name
    assert (tags["environment"], tags["outcome"], tags["data.rsp"]) == (
        "laptop",
        "new",
        f"the videos in {folder}",
    )
    assert tags["commit"] and tags["device"] and tags["version.torch"]
    (trained_on,) = run.inputs.dataset_inputs
    assert (trained_on.dataset.name, trained_on.dataset.digest) == ("rsp", tags["data_digest.rsp"])
    assert [(tag.key, tag.value) for tag in trained_on.tags] == [("mlflow.data.context", "training")]
    description = tags["mlflow.note.content"]
    assert "rsp: trained up to update 6, loss" in description and "environment laptop" in description


def test_run_does_not_tell_whose_machine_it_was(data: Path, parameters: dict[str, Any]) -> None:
    (run,) = runs_in(data)
    said = [*run.data.params.values(), *run.data.tags.values(), run.inputs.dataset_inputs[0].dataset.source]
    places = (str(data), str(Path(parameters["ingest"]["root"]).parent), str(Path.home()))
    assert not [text for text in said if any(place in text for place in places)]


def test_run_leaves_the_report_and_a_record_of_the_training(data: Path) -> None:
    page = Page((data / "08_reporting" / "report.html").read_text())
    assert page.faults == [] and "What could not be read" not in page.text
    assert "train/loss: from" in page.text
    shown = [address for address in page.addresses() if address.endswith(".png")]
    assert "rsp/loss_curves.png" in shown
    assert all((data / "08_reporting" / address).is_file() for address in shown)
    record = Provenance.of(data / "08_reporting" / "rsp" / "train_metrics.json")
    assert record is not None and record.measured_on.startswith("the videos in ")
    assert record.data_digest and record.seconds and record.pipelines == ("pretrain_rsp",)


def test_run_of_a_finished_training_adds_a_run_and_leaves_the_first_alone(
    data: Path, parameters: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    (first,) = runs_in(data)
    before = curves(data, first, "train/loss")
    with caplog.at_level(logging.INFO):
        run_pipeline("pretrain_rsp", data, parameters)
    assert "training is up to date (6 updates)" in caplog.text
    again, second = runs_in(data)
    assert again.info.run_id == first.info.run_id
    assert curves(data, again, "train/loss") == before
    assert second.info.status == "FINISHED"
    assert (again.data.tags["outcome"], second.data.tags["outcome"]) == ("new", "up to date")
    assert "Nothing was new" in second.data.tags["mlflow.note.content"]
    assert second.data.metrics["rsp.train_metrics/step"] == 6
