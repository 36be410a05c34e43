"""Nodes of pretraining."""

from typing import TYPE_CHECKING, Any

import pandas as pd
from PIL.Image import Image

from vidrep_pipelines.data.tables.table import Rows
from vidrep_pipelines.datasets.checkpoint import Checkpoint, CheckpointSource
from vidrep_pipelines.evaluation.label_propagation.training_probe_config import TrainingProbeConfig
from vidrep_pipelines.fanout.parts import Parts
from vidrep_pipelines.models.rsp.config import RspDataConfig, RspModelConfig, RspObjectiveConfig
from vidrep_pipelines.pipelines.config import FoldersConfig, TrackingConfig
from vidrep_pipelines.training.config import LaunchConfig, ProbeSpec, TrainConfig

if TYPE_CHECKING:
    from vidrep_pipelines.training.result import TrainResult

_PROBE = "vidrep_pipelines.evaluation.label_propagation.training_probe:LabelPropagationTrainingProbe"


def plan_rsp(
    clips: Rows,
    videos: Parts,
    packet_store: Parts,
    data: RspDataConfig,
    model: RspModelConfig,
    objective: RspObjectiveConfig,
    initialize_from: str | None,
    train: TrainConfig,
    probe: TrainingProbeConfig,
    launch: LaunchConfig,
    folders: FoldersConfig,
) -> dict[str, Any]:
    """The complete description of a training run, as ``torchrun`` on several machines reads it too."""
    from vidrep_pipelines.data.clips.table import content_digest, snapshot
    from vidrep_pipelines.models.rsp.task import RspTask
    from vidrep_pipelines.training.config import TrainSpec

    run_directory = folders.models.absolute() / "rsp" / "run"
    task = RspTask(
        clip_table=snapshot(clips, run_directory),
        videos=videos.folder.absolute(),
        packet_store=packet_store.folder.absolute(),
        data=data,
        model=model,
        objective=objective,
        initialize_from=initialize_from,
        seed=train.seed,
    )
    spec = TrainSpec.of(
        task,
        train=train,
        launch=launch,
        run_directory=run_directory,
        report_directory=folders.reporting / "rsp",
        data_digest=content_digest(clips),
        probe=_probe_spec(probe),
    )
    return spec.model_dump(mode="json")


def _probe_spec(probe: TrainingProbeConfig) -> ProbeSpec | None:
    if probe.every is None:
        return None
    return ProbeSpec(probe=_PROBE, config=probe.model_dump(mode="json"), every=probe.every)


def train(
    spec: dict[str, Any], tracking: TrackingConfig
) -> tuple[CheckpointSource, pd.DataFrame, dict[str, Any]]:
    """Trains, resumes, or finds that the run is finished and unchanged."""
    from vidrep_pipelines.training.config import TrackingTarget, TrainSpec
    from vidrep_pipelines.training.launch import launch
    from vidrep_pipelines.training.sinks import read_log

    target = TrackingTarget(uri=tracking.uri, run_id=tracking.run_id) if tracking.run_id else None
    result = launch(TrainSpec.model_validate(spec).model_copy(update={"tracking": target}))
    reported = {"status", "step", "resumed_from", "precision", "first", "last"}
    metrics = result.model_dump(mode="json", include=reported)
    log = read_log(result.log)
    origin = {"system": result.task, "digest": result.digest, "step": result.step, "metrics": result.last}
    source = CheckpointSource(
        result.checkpoint,
        config=spec["task_config"]["model"],
        meta={**origin, "passes": _passes(result, log)},
        weights="model.safetensors" if spec["train"]["ema_decay"] is None else "ema.safetensors",
    )
    return source, log, metrics


def _passes(result: "TrainResult", log: pd.DataFrame) -> float:
    """Passes over the data; results of earlier versions leave them to the log, which may be lost."""
    if result.epoch is not None:
        return result.epoch
    return float(log["epoch"].iloc[-1]) if "epoch" in log else 0.0


def draw_curves(log: pd.DataFrame) -> Image:
    """Losses, learning rate and throughput over the run."""
    from vidrep_pipelines.reporting.curves import loss_curves
    from vidrep_pipelines.reporting.figures import notice

    return notice("The training log is lost.") if log.empty else loss_curves(log)


def draw_rsp_predictions(checkpoint: Checkpoint, spec: dict[str, Any]) -> Image:
    """What the trained model predicts and reconstructs for a few pairs."""
    from vidrep_pipelines.models.rsp.model import RspModel
    from vidrep_pipelines.models.rsp.task import RspTask
    from vidrep_pipelines.models.shared.trained import trained_model

    task = RspTask.model_validate(spec["task_config"])
    return task.draw_predictions(trained_model(RspModel(task.model), checkpoint.state_dict()))


def export_rsp(checkpoint: Checkpoint) -> dict[str, Any]:
    """RSP's weights under the names of the original repository."""
    from vidrep_pipelines.models.rsp.checkpoint_io import original_checkpoint

    last_epoch = max(0, int(checkpoint.meta["passes"]) - 1)  # the original counts finished epochs from 0
    return original_checkpoint(checkpoint.state_dict(), epoch=last_epoch)
