import json
import logging
from pathlib import Path

import mlflow
import pytest

from tests.training.toy_task import ToyTask, losses, toy_spec
from vidrep_pipelines.training.config import TrackingTarget
from vidrep_pipelines.training.errors import TrainingInterrupted
from vidrep_pipelines.training.loop import run_training
from vidrep_pipelines.training.sinks import JsonLinesSink, MlflowSink, read_log, read_rows


def _row(step: int) -> dict[str, float]:
    return {"step": step, "epoch": step / 2, "time": 1.5, "train/loss": 1 / step}


def test_rows_after_the_checkpoint_and_torn_lines_are_cut(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    sink = JsonLinesSink(path)
    for step in (1, 2, 3):
        sink.log(_row(step))
    sink.close()
    path.write_text(path.read_text() + '{"step": 4, "tra')
    assert [row["step"] for row in read_rows(path)] == [1, 2, 3]
    sink = JsonLinesSink(path, step=2)
    sink.log(_row(3))
    assert read_rows(path) == [_row(1), _row(2), _row(3)]  # on disk before the sink is closed
    sink.close()
    assert read_log(path)["train/loss"].tolist() == [1, 1 / 2, 1 / 3]


_DAMAGED_LINES = [
    b"{",
    b"\xff\xfe\x00",
    b"",
    b"3",
    b"null",
    b"[]",
    b'{"train/loss": 1}',
    b'{"step": 1, "time": "x"}',
]
_DAMAGED_LINES += [b'{"step": NaN, "time": 1}', b'{"step": 1, "time": 1, "train/loss": null}', b"[" * 100_000]


@pytest.mark.parametrize("damage", _DAMAGED_LINES, ids=lambda line: line[:20].hex())
def test_damaged_lines_are_left_out_with_one_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: bytes
) -> None:
    path = tmp_path / "log.jsonl"
    lines = [json.dumps(_row(step)).encode() for step in (1, 2, 3, 4)]
    path.write_bytes(b"\n".join([lines[0], damage, lines[2], damage, lines[3], b""]))
    sink = JsonLinesSink(path, step=3)
    sink.close()
    assert read_rows(path) == [_row(1), _row(3)]
    assert [record.message for record in caplog.records] == [
        f"{path}: 2 of 5 lines are damaged (the first is line 2) and left out; the steps that they logged "
        "are missing from the curves."
    ]


def test_a_torn_last_line_is_nothing_to_speak_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text(json.dumps(_row(1)) + '\n{"step": 2, "ti')
    assert read_rows(path) == [_row(1)]
    assert not caplog.records


def test_training_goes_on_with_a_damaged_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    victim = ToyTask(kill_rank=0, kill_step=5, kill_marker=tmp_path / "killed", kill_signal=15)
    with pytest.raises(TrainingInterrupted):
        run_training(toy_spec(tmp_path, victim))
    log = tmp_path / "run" / "train_log.jsonl"
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join([lines[0], lines[1][:20] + b"\x00" + lines[1][21:], *lines[2:]]))
    result = run_training(toy_spec(tmp_path))
    assert result.resumed_from == 6
    assert [row["step"] for row in read_rows(log)] == [1, *range(3, 13)]
    assert sum("damaged" in record.message for record in caplog.records) == 1


def test_no_log_has_no_rows(tmp_path: Path) -> None:
    assert read_log(tmp_path / "none.jsonl").empty


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> TrackingTarget:
    folder = tmp_path_factory.mktemp("mlflow")
    uri = f"sqlite:///{folder}/mlflow.db"
    client = mlflow.MlflowClient(tracking_uri=uri)
    experiment = client.create_experiment("toy", artifact_location=(folder / "artifacts").as_uri())
    return TrackingTarget(uri=uri, run_id=client.create_run(experiment).info.run_id)


def test_mlflow_receives_curves_and_pictures(tmp_path: Path, target: TrackingTarget) -> None:
    run_training(toy_spec(tmp_path).model_copy(update={"tracking": target}))
    client = mlflow.MlflowClient(tracking_uri=target.uri)
    history = client.get_metric_history(target.run_id, "train/loss")
    assert [metric.step for metric in history] == list(range(1, 13))
    assert [metric.value for metric in history] == losses(tmp_path)
    assert len(client.list_artifacts(target.run_id, "pictures")) == 3


def test_mlflow_sends_many_metrics_in_permitted_batches(target: TrackingTarget) -> None:
    sink = MlflowSink(target)
    for step in range(1, 1102):
        sink.log({"step": step, "time": 1.0, "many": step})
    sink.close()
    client = mlflow.MlflowClient(tracking_uri=target.uri)
    assert len(client.get_metric_history(target.run_id, "many")) == 1101


def test_a_metric_that_the_server_would_refuse_costs_no_other(target: TrackingTarget) -> None:
    sink = MlflowSink(target)
    sink.log({"step": 1, "time": 1.0, "eval/top-1 (%)": 0.5, "eval/plain": 0.25})
    sink.close()
    found = mlflow.MlflowClient(tracking_uri=target.uri).get_run(target.run_id).data.metrics
    assert found["eval/plain"] == 0.25
    assert [value for name, value in found.items() if name.startswith("eval/top-1 ___-")] == [0.5]


def test_password_of_the_server_is_in_no_message(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = "http://me:much-secret@127.0.0.1:9/"

    def repeat(_: str) -> None:
        raise OSError(f"API request to {address}api failed for me with much-secret")

    monkeypatch.setattr("vidrep_pipelines.training.sinks.require_answer", repeat)
    sink = MlflowSink(TrackingTarget(uri=address, run_id="none"))
    sink.log({"step": 1, "time": 1.0, "loss": 2.0})
    with caplog.at_level(logging.WARNING, logger="vidrep_pipelines"):
        sink.close()
    assert "API request to http://127.0.0.1:9/api failed for me with ***" in caplog.text
    assert "secret" not in caplog.text


def test_deleted_run_warns_once(target: TrackingTarget, caplog: pytest.LogCaptureFixture) -> None:
    client = mlflow.MlflowClient(tracking_uri=target.uri)
    experiment = client.get_run(target.run_id).info.experiment_id
    deleted = client.create_run(experiment).info.run_id
    client.delete_run(deleted)
    sink = MlflowSink(target.model_copy(update={"run_id": deleted}))
    with caplog.at_level(logging.WARNING, logger="vidrep_pipelines"):
        for step in (1, 2):
            sink.log({"step": step, "time": 1.0, "a": 1.0, "b": 2.0})
            sink.close()
    assert [record.name for record in caplog.records] == ["vidrep_pipelines.training.sinks"]


def test_failing_server_warns_once_and_training_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    broken = TrackingTarget(uri=f"sqlite:///{tmp_path}/absent/folder/mlflow.db", run_id="none")
    with caplog.at_level(logging.WARNING, logger="vidrep_pipelines"):
        result = run_training(toy_spec(tmp_path).model_copy(update={"tracking": broken}))
    assert result.status == "trained"
    assert [
        record.message.startswith("MLflow at") for record in caplog.records if "MLflow" in record.message
    ] == [True]
