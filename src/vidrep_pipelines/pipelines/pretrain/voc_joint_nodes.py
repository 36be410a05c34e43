"""Nodes of the joint training of a tokenizer and an occupancy model."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from vidrep_pipelines.datasets.checkpoint import CheckpointSource
from vidrep_pipelines.models.voc.config import HeldOutLossConfig, VocModelConfig, VocObjectiveConfig
from vidrep_pipelines.models.voc.tokenizers.vae.config import VaeConfig, VaeObjectiveConfig
from vidrep_pipelines.pipelines.config import FoldersConfig, TrackingConfig
from vidrep_pipelines.pipelines.pretrain import shared_nodes
from vidrep_pipelines.pipelines.pretrain.voc_config import VocJointRunConfig
from vidrep_pipelines.pipelines.pretrain.voc_tokenizer_nodes import held_out_probe
from vidrep_pipelines.training.config import LaunchConfig, TrainConfig

if TYPE_CHECKING:
    from vidrep_pipelines.data.frame_store.store import FrameStore
else:
    FrameStore = Any  # its module takes seconds to import


def plan_joint(
    frames: FrameStore,
    run: VocJointRunConfig,
    tokenizer: VaeConfig,
    tokenizer_objective: VaeObjectiveConfig,
    model: VocModelConfig,
    objective: VocObjectiveConfig,
    train: TrainConfig,
    validation: HeldOutLossConfig,
    launch: LaunchConfig,
    folders: FoldersConfig,
) -> dict[str, Any]:
    """The complete description of a training run on the frames of episodes."""
    from vidrep_pipelines.models.voc.joint.config import JointConfig, JointObjectiveConfig
    from vidrep_pipelines.models.voc.joint.task import JointTask
    from vidrep_pipelines.models.voc.presets import fitted_to_tokenizer, with_preset
    from vidrep_pipelines.models.voc.tokenizers.presets import published_vae
    from vidrep_pipelines.training.config import TrainSpec

    if run.preset is not None:
        tokenizer, tokenizer_objective = published_vae(tokenizer, tokenizer_objective)
        model, objective = with_preset("vae", model, objective)
    task = JointTask(
        frame_store=frames.folder.absolute(),
        model=JointConfig(tokenizer=tokenizer, occupancy=fitted_to_tokenizer(tokenizer, model)),
        objective=JointObjectiveConfig(tokenizer=tokenizer_objective, occupancy=objective),
        initialize_from=run.initialize_from,
        seed=train.seed,
    )
    spec = TrainSpec.of(
        task,
        train=train,
        launch=launch,
        run_directory=folders.run_directory("voc_joint"),
        report_directory=folders.reporting / "voc_joint_tokenizer",
        data_digest=frames.content_digest,
        probe=held_out_probe(task, "joint", frames, validation),
    )
    return spec.model_dump(mode="json")


def train_joint(
    spec: dict[str, Any], tracking: TrackingConfig
) -> tuple[CheckpointSource, CheckpointSource, pd.DataFrame, dict[str, Any]]:
    """Trains both, and parts them: the tokenizer, and the occupancy model on its codes."""
    from vidrep_pipelines.models.voc.joint.model import write_parts

    both, log, metrics = shared_nodes.train(spec, tracking)
    parts = write_parts(both.directory / both.weights, Path(spec["run_directory"]).parent / "parts")
    model = spec["task_config"]["model"]
    tokenizer = {"kind": "vae", "model": model["tokenizer"]}
    return (
        CheckpointSource(parts.tokenizer, tokenizer, both.meta),
        CheckpointSource(parts.occupancy, model["occupancy"], both.meta),
        log,
        metrics,
    )
