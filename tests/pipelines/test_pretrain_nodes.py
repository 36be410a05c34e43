"""Nodes of pretraining: the spec that they make, and what they make of the result."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from vidrep_pipelines.evaluation.label_propagation.training_probe_config import TrainingProbeConfig
from vidrep_pipelines.fanout.parts import Parts
from vidrep_pipelines.models.rsp.config import RspDataConfig, RspModelConfig, RspObjectiveConfig
from vidrep_pipelines.models.rsp.task import RspTask
from vidrep_pipelines.pipelines.config import FoldersConfig, TrackingConfig
from vidrep_pipelines.pipelines.pretrain import rsp_nodes, shared_nodes
from vidrep_pipelines.training.config import LaunchConfig, TrackingTarget, TrainConfig, TrainSpec
from vidrep_pipelines.training.result import TrainResult
from vidrep_pipelines.training.run_record import RunRecord
from vidrep_pipelines.training.sinks import MlflowSink
from vidrep_pipelines.training.task import load_described, load_task

TRAIN = TrainConfig(steps=6, batch_size=4, seed=9)


def plan(clips: pd.DataFrame, videos: Parts, folder: Path, **changes: Any) -> dict[str, Any]:
    parameters: dict[str, Any] = {
        "data": RspDataConfig(flip_probability=0.25),
        "model": RspModelConfig(depth=3),
        "objective": RspObjectiveConfig(kl_scale=0.5),
        "initialize_from": None,
        "train": TRAIN,
        "probe": TrainingProbeConfig(),
    }
    machine: dict[str, Any] = {
        "launch": LaunchConfig(device="cpu"),
        "folders": FoldersConfig(models=folder / "06_models", reporting=folder / "08_reporting"),
    }
    machine |= {name: changes.pop(name) for name in machine if name in changes}
    packet_store = Parts(videos.folder.parent / "packet_store", pd.DataFrame(), (".h5", ".parquet"))
    return rsp_nodes.plan_rsp(
        clips, videos, packet_store, rsp_nodes.RspParameters(**{**parameters, **changes}), **machine
    )


def digest_of_run(spec: dict[str, Any]) -> str:
    checked = TrainSpec.model_validate(spec)
    return RunRecord.of(checked, load_task(checked)).digest


def test_spec_is_json_that_describes_the_task(clips: pd.DataFrame, videos: Parts, tmp_path: Path) -> None:
    spec = TrainSpec.model_validate(json.loads(json.dumps(plan(clips, videos, tmp_path))))
    assert spec.train == TRAIN
    assert (spec.launch.device, spec.tracking) == ("cpu", None)
    assert spec.run_directory == tmp_path / "06_models" / "rsp" / "run"
    assert spec.report_directory == tmp_path / "08_reporting" / "rsp"
    task: object = load_task(spec)
    assert isinstance(task, RspTask)
    assert (task.data.flip_probability, task.model.depth, task.objective.kl_scale) == (0.25, 3, 0.5)
    assert (task.seed, task.videos) == (9, videos.folder)
    assert task.item_names([1, 0]) == ["pour/a", "drop/b"]
    assert task.clip_table.is_relative_to(spec.run_directory)


def test_paths_of_a_spec_are_absolute(
    clips: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folders = FoldersConfig(models=Path("models"), reporting=Path("reporting"))
    relative = Parts(Path("videos"), pd.DataFrame(), (".mp4",))
    spec = TrainSpec.model_validate(plan(clips, relative, tmp_path, folders=folders))
    assert spec.report_directory == tmp_path / "reporting" / "rsp"
    names = ("videos", "clip_table", "packet_store")
    for path in (spec.run_directory, *(spec.task_config[name] for name in names)):
        assert Path(path).is_absolute()


@pytest.mark.parametrize(
    "changes",
    [
        {"train": TRAIN.model_copy(update={"seed": 8})},
        {"objective": RspObjectiveConfig()},
        {"data": RspDataConfig()},
        {"model": RspModelConfig(depth=4)},
    ],
)
def test_science_makes_another_run(
    changes: dict[str, Any], clips: pd.DataFrame, videos: Parts, tmp_path: Path
) -> None:
    first = digest_of_run(plan(clips, videos, tmp_path))
    assert digest_of_run(plan(clips, videos, tmp_path, **changes)) != first


def test_data_makes_another_run(clips: pd.DataFrame, videos: Parts, tmp_path: Path) -> None:
    first = digest_of_run(plan(clips, videos, tmp_path))
    for other in (clips.assign(digest=["b0", "a1"]), clips.assign(id=["drop/b", "pour/x"]), clips[:1]):
        assert digest_of_run(plan(other, videos, tmp_path)) != first


def test_probe_is_described_and_makes_no_other_run(
    clips: pd.DataFrame, videos: Parts, tmp_path: Path
) -> None:
    without = plan(clips, videos, tmp_path)
    assert without["probe"] is None
    probed = plan(clips, videos, tmp_path, probe=TrainingProbeConfig(every=5, sequences=2))
    spec = TrainSpec.model_validate(probed).probe
    assert spec is not None and spec.every == 5
    probe = load_described(spec.probe, spec.config, "probe", has="measure")
    assert (probe.sequences, probe.objective.kl_scale, probe.data.flip_probability) == (2, 0.5, 0.25)
    assert spec.untrained
    assert digest_of_run(probed) == digest_of_run(without)


def test_machine_and_place_make_no_other_run(clips: pd.DataFrame, videos: Parts, tmp_path: Path) -> None:
    first = digest_of_run(plan(clips, videos, tmp_path))
    machine = LaunchConfig(processes=4, loader_workers=9, device_batch_size=1)
    elsewhere = Parts(tmp_path / "other", pd.DataFrame(), (".mp4",))
    assert digest_of_run(plan(clips, elsewhere, tmp_path / "other", launch=machine)) == first


@pytest.mark.parametrize(("run_id", "tracked"), [("r1", True), (None, False)])
@pytest.mark.parametrize(("ema_decay", "weights"), [(None, "model.safetensors"), (0.9, "ema.safetensors")])
def test_train_passes_on_the_tracked_run_and_names_the_weights_to_publish(
    run_id: str | None,
    tracked: bool,
    ema_decay: float | None,
    weights: str,
    clips: pd.DataFrame,
    videos: Parts,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    launched: list[TrainSpec] = []
    log = tmp_path / "train_log.jsonl"
    log.write_text('{"step": 6, "epoch": 1.5, "train/loss": 0.5}\n')

    def launch(spec: TrainSpec) -> TrainResult:
        launched.append(spec)
        paths = {"run_directory": tmp_path, "checkpoint": tmp_path / "step-6", "log": log}
        return TrainResult(
            task="rsp", status="trained", digest="d", step=6, last={"train/loss": 0.5}, **paths
        )

    monkeypatch.setattr("vidrep_pipelines.training.launch.launch", launch)
    spec = plan(clips, videos, tmp_path, train=TRAIN.model_copy(update={"ema_decay": ema_decay}))
    source, rows, metrics = shared_nodes.train(spec, TrackingConfig(uri="sqlite:///x.db", run_id=run_id))
    assert launched[0].tracking == (TrackingTarget(uri="sqlite:///x.db", run_id="r1") if tracked else None)
    assert launched[0].model_copy(update={"tracking": None}) == TrainSpec.model_validate(spec)
    assert (source.directory, source.weights) == (tmp_path / "step-6", weights)
    assert source.config is not None and source.config["depth"] == 3
    origin = {"system": "rsp", "digest": "d", "step": 6, "passes": 1.5}
    assert source.meta == {**origin, "metrics": {"train/loss": 0.5}}
    assert rows["train/loss"].tolist() == [0.5]
    assert (metrics["status"], metrics["step"], metrics["last"]) == ("trained", 6, {"train/loss": 0.5})


@pytest.mark.parametrize("status", ["trained", "up to date"])
@pytest.mark.parametrize("tracked", [True, False])
@pytest.mark.parametrize("run_id", ["r1", None])
def test_curves_of_a_training_that_mlflow_did_not_see_are_sent_once_it_is_found_finished(
    run_id: str | None,
    tracked: bool,
    status: Any,
    clips: pd.DataFrame,
    videos: Parts,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log = tmp_path / "train_log.jsonl"
    log.write_text('{"step": 6, "epoch": 1.5, "train/loss": 0.5}\n')
    paths = {"run_directory": tmp_path, "checkpoint": tmp_path / "step-6", "log": log}
    result = TrainResult(task="rsp", status=status, digest="d", step=6, tracked=tracked, **paths)
    sent: list[Any] = []
    monkeypatch.setattr("vidrep_pipelines.training.launch.launch", lambda spec: result)
    monkeypatch.setattr(MlflowSink, "_try", lambda self, action: sent.append(self._target.run_id))
    shared_nodes.train(plan(clips, videos, tmp_path), TrackingConfig(uri="sqlite:///x.db", run_id=run_id))
    assert sent == (["r1"] if run_id and status == "up to date" and not tracked else [])
