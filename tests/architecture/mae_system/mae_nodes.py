"""Nodes of the masked autoencoder: unpack and call."""

from typing import Any

from tests.architecture.mae_system.config import MaeDataConfig, MaeModelConfig, MaeObjectiveConfig
from vidrep_pipelines.data.tables.table import Rows
from vidrep_pipelines.fanout.parts import Parts
from vidrep_pipelines.pipelines.config import FoldersConfig, SystemParameters
from vidrep_pipelines.training.config import LaunchConfig, TrainConfig


class MaeParameters(SystemParameters):
    """All parameters of the system (``params:mae``)."""

    data: MaeDataConfig
    model: MaeModelConfig
    objective: MaeObjectiveConfig
    train: TrainConfig


def plan_mae(
    clips: Rows, videos: Parts, parameters: MaeParameters, launch: LaunchConfig, folders: FoldersConfig
) -> dict[str, Any]:
    """The complete description of a training run."""
    from tests.architecture.mae_system.task import MaeTask
    from vidrep_pipelines.data.clips.table import content_digest, snapshot
    from vidrep_pipelines.training.config import TrainSpec

    run_directory = folders.run_directory("mae")
    science = parameters.model_dump(include={"data", "model", "objective"})
    task = MaeTask(
        clip_table=snapshot(clips, run_directory),
        videos=videos.folder.absolute(),
        seed=parameters.train.seed,
        **science,
    )
    spec = TrainSpec.of(
        task,
        train=parameters.train,
        launch=launch,
        run_directory=run_directory,
        report_directory=folders.reporting / "mae",
        data_digest=content_digest(clips),
    )
    return spec.model_dump(mode="json")
