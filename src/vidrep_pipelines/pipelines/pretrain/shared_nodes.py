"""Nodes of pretraining that every system has."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from PIL.Image import Image

from vidrep_pipelines.datasets.checkpoint import Checkpoint, CheckpointSource
from vidrep_pipelines.pipelines.config import TrackingConfig

if TYPE_CHECKING:
    from vidrep_pipelines.training.config import TrainSpec
    from vidrep_pipelines.training.result import TrainResult


def train(
    spec: dict[str, Any], tracking: TrackingConfig
) -> tuple[CheckpointSource, pd.DataFrame, dict[str, Any]]:
    """Trains, resumes, or finds that the run is finished and unchanged.

    The curves of a run that was trained where MLflow did not see it are sent there now.
    """
    from vidrep_pipelines.training.config import TrackingTarget, TrainSpec
    from vidrep_pipelines.training.launch import launch
    from vidrep_pipelines.training.sinks import read_log, send_log
    from vidrep_pipelines.training.task import load_task

    checked = TrainSpec.model_validate(spec)
    target = TrackingTarget(uri=tracking.uri, run_id=tracking.run_id) if tracking.run_id else None
    result = launch(checked.model_copy(update={"tracking": target}))
    if target is not None and result.status == "up to date" and not result.tracked:
        send_log(target, result.log)
    reported = {"status", "step", "resumed_from", "precision", "first", "last"}
    metrics = result.model_dump(mode="json", include=reported)
    log = read_log(result.log)
    directory, origin = _published(checked, result)
    passes = _passes(result, log) * (origin["step"] / max(result.step, 1))
    source = CheckpointSource(
        directory,
        config=load_task(checked).checkpoint_config(),
        meta={"system": result.task, **origin, "passes": passes},
        weights=weights_file(checked.train.ema_decay),
    )
    return source, log, metrics


def _published(spec: "TrainSpec", result: "TrainResult") -> tuple[Path, dict[str, Any]]:
    """The folder of the weights that become the trained model, the last or the best, and their origin."""
    from vidrep_pipelines.common.digest import digest_of
    from vidrep_pipelines.training.best import best_checkpoint
    from vidrep_pipelines.training.run_record import BEST

    probe = spec.probe
    if probe is None or probe.publish is None:
        return result.checkpoint, {"digest": result.digest, "step": result.step, "metrics": result.last}
    name, end = probe.publish, probe.keep[probe.publish]
    path, state = best_checkpoint(result.run_directory / BEST, name, end, result.digest)
    digest = digest_of(result.digest, name, end, state.step)  # other weights than the run's last ones
    return path, {"digest": digest, "step": state.step, "metrics": result.last, "best_by": f"{end} {name}"}


def weights_file(ema_decay: float | None) -> str:
    """Which file of a training's checkpoint is published: the average of the weights, where there is one."""
    return "model.safetensors" if ema_decay is None else "ema.safetensors"


def _passes(result: "TrainResult", log: pd.DataFrame) -> float:
    """Passes over the data; results of earlier versions leave them to the log, which may be lost."""
    if result.epoch is not None:
        return result.epoch
    return float(log["epoch"].iloc[-1]) if "epoch" in log else 0.0


def paint_curves(log: pd.DataFrame) -> Image:
    """Losses, learning rate and throughput over the run."""
    from vidrep_pipelines.reporting.curves import loss_curves
    from vidrep_pipelines.reporting.figures import notice

    return notice("The training log is lost.") if log.empty else loss_curves(log)


def describe_export(checkpoint: Checkpoint) -> Checkpoint:
    """What is written beside weights in an original layout, which say little of their model."""
    return checkpoint
