"""Nodes of the pretraining of RSP."""

from typing import Any

from PIL.Image import Image

from vidrep_pipelines.common.config import UserPath
from vidrep_pipelines.data.tables.table import Rows
from vidrep_pipelines.datasets.checkpoint import Checkpoint, CheckpointSource
from vidrep_pipelines.evaluation.label_propagation.training_probe_config import TrainingProbeConfig
from vidrep_pipelines.fanout.parts import Parts
from vidrep_pipelines.models.rsp.config import (
    RspDataConfig,
    RspFuturesConfig,
    RspModelConfig,
    RspObjectiveConfig,
)
from vidrep_pipelines.pipelines.config import FoldersConfig, SystemParameters
from vidrep_pipelines.training.config import LaunchConfig, ProbeSpec, TrainConfig

_PROBE = "vidrep_pipelines.adapters.rsp_training_probe:RspTrainingProbe"


class RspParameters(SystemParameters):
    """All parameters of RSP (``params:rsp``), which its plan alone reads."""

    data: RspDataConfig
    """How frame pairs are drawn and cropped."""

    model: RspModelConfig
    """The architecture."""

    objective: RspObjectiveConfig
    """The loss."""

    initialize_from: UserPath | None
    """A checkpoint in the original layout to start from. None: random initialization."""

    train: TrainConfig
    """How long, with which batches and which optimizer."""

    probe: TrainingProbeConfig
    """A quick evaluation while training."""

    futures: RspFuturesConfig = RspFuturesConfig()
    """Measured with the probe: how open the model finds futures of unseen clips."""


def plan_rsp(
    clips: Rows,
    videos: Parts,
    packet_store: Parts,
    parameters: RspParameters,
    launch: LaunchConfig,
    folders: FoldersConfig,
) -> dict[str, Any]:
    """The complete description of a training run, as ``torchrun`` on several machines reads it too."""
    from vidrep_pipelines.data.clips.table import content_digest, snapshot
    from vidrep_pipelines.models.rsp.task import RspTask
    from vidrep_pipelines.training.config import TrainSpec

    run_directory = folders.run_directory("rsp")
    task = RspTask(
        clip_table=snapshot(clips, run_directory),
        videos=videos.folder.absolute(),
        packet_store=packet_store.folder.absolute(),
        data=parameters.data,
        model=parameters.model,
        objective=parameters.objective,
        initialize_from=parameters.initialize_from,
        seed=parameters.train.seed,
    )
    spec = TrainSpec.of(
        task,
        train=parameters.train,
        launch=launch,
        run_directory=run_directory,
        report_directory=folders.reporting / "rsp",
        data_digest=content_digest(clips),
        probe=_probe_spec(parameters),
    )
    return spec.model_dump(mode="json")


def _probe_spec(parameters: RspParameters) -> ProbeSpec | None:
    probe = parameters.probe
    if probe.every is None:
        return None
    blocks = {name: getattr(parameters, name) for name in ("futures", "data", "objective")}
    described = {name: block.model_dump(mode="json") for name, block in blocks.items()}
    config = {**probe.model_dump(mode="json"), **described}
    return ProbeSpec(probe=_PROBE, config=config, every=probe.every, untrained=True)


def paint_rsp_predictions(checkpoint: Checkpoint, spec: dict[str, Any]) -> Image:
    """What the trained model predicts and reconstructs for a few pairs."""
    from vidrep_pipelines.models.rsp.model import RspModel
    from vidrep_pipelines.models.rsp.task import RspTask
    from vidrep_pipelines.models.shared.trained import trained_model

    task = RspTask.model_validate(spec["task_config"])
    return task.predictions_picture(trained_model(RspModel(task.model), checkpoint.state_dict()))


def export_rsp(checkpoint: Checkpoint) -> dict[str, Any]:
    """RSP's weights under the names of the original repository."""
    from vidrep_pipelines.models.rsp.checkpoint_io import original_checkpoint

    last_epoch = max(0, int(checkpoint.meta["passes"]) - 1)  # the original counts finished epochs from 0
    return original_checkpoint(checkpoint.state_dict(), epoch=last_epoch)


def export_rsp_to_timm(checkpoint: Checkpoint, folders: FoldersConfig) -> CheckpointSource:
    """RSP's image encoder as a folder that timm opens by itself."""
    from vidrep_pipelines.models.rsp.checkpoint_io import timm_config
    from vidrep_pipelines.models.rsp.inference import image_encoder
    from vidrep_pipelines.models.shared.weight_file import write_weights

    model = RspModelConfig.model_validate(checkpoint.config)
    folder = folders.run_directory("rsp").with_name("timm_encoder")
    write_weights(image_encoder(model, checkpoint.state_dict()).state_dict(), folder / "model.safetensors")
    return CheckpointSource(folder, timm_config(model), {**checkpoint.meta, "layout": "timm"}, layout="timm")
