"""Nodes of the training of tokenizers for Video Occupancy Models."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from PIL.Image import Image

from vidrep_pipelines.common.digest import differences
from vidrep_pipelines.datasets.checkpoint import Checkpoint, CheckpointSource
from vidrep_pipelines.models.voc.config import HeldOutLossConfig, OccupancyName, TokenizerName
from vidrep_pipelines.models.voc.tokenizers.dino.config import VqkdConfig, VqkdObjectiveConfig
from vidrep_pipelines.models.voc.tokenizers.musik.config import MusikConfig, MusikObjectiveConfig
from vidrep_pipelines.models.voc.tokenizers.vae.config import VaeConfig, VaeObjectiveConfig
from vidrep_pipelines.pipelines.config import FoldersConfig, TrackingConfig
from vidrep_pipelines.pipelines.pretrain import shared_nodes
from vidrep_pipelines.pipelines.pretrain.voc_config import VocTokenizerRunConfig
from vidrep_pipelines.training.config import LaunchConfig, ProbeSpec, TrainConfig

if TYPE_CHECKING:
    from vidrep_pipelines.data.frame_store.store import FrameStore
    from vidrep_pipelines.models.voc.joint.task import JointTask
    from vidrep_pipelines.models.voc.tokenizers.task import TokenizerTask
else:
    FrameStore = Any  # its module takes seconds to import

_log = logging.getLogger(__name__)

_FINISHED = "finished"
"""Entry of a specification that names a tokenizer which needs no training."""


def plan_vae(
    frames: FrameStore,
    run: VocTokenizerRunConfig,
    model: VaeConfig,
    objective: VaeObjectiveConfig,
    train: TrainConfig,
    validation: HeldOutLossConfig,
    launch: LaunchConfig,
    folders: FoldersConfig,
) -> dict[str, Any]:
    """The complete description of a training run of the tokenizer ``vae``, or of the finished one."""
    from vidrep_pipelines.models.voc.tokenizers.presets import published_vae
    from vidrep_pipelines.models.voc.tokenizers.vae.task import VaeTask

    if run.preset is not None:
        model, objective = published_vae(model, objective)
    if run.published is not None:
        return _finished(run, model, "vae", folders)
    task = VaeTask(
        frame_store=frames.folder.absolute(),
        initialize_from=run.initialize_from,
        seed=train.seed,
        model=model,
        objective=objective,
    )
    return _spec(task, "vae", frames, train, validation, launch, folders)


def plan_dino(
    frames: FrameStore,
    run: VocTokenizerRunConfig,
    model: VqkdConfig,
    objective: VqkdObjectiveConfig,
    train: TrainConfig,
    validation: HeldOutLossConfig,
    launch: LaunchConfig,
    folders: FoldersConfig,
) -> dict[str, Any]:
    """The complete description of a training run of VQ-KD, or of the finished tokenizer."""
    from vidrep_pipelines.models.voc.tokenizers.dino.task import VqkdTask
    from vidrep_pipelines.models.voc.tokenizers.presets import published_vqkd

    if run.preset is not None:
        model = published_vqkd(model)
    if run.published is not None:
        return _finished(run, model, "dino", folders)
    task = VqkdTask(
        frame_store=frames.folder.absolute(),
        initialize_from=run.initialize_from,
        seed=train.seed,
        model=model,
        objective=objective,
    )
    return _spec(task, "dino", frames, train, validation, launch, folders)


def plan_musik(
    frames: FrameStore,
    run: VocTokenizerRunConfig,
    model: MusikConfig,
    objective: MusikObjectiveConfig,
    train: TrainConfig,
    validation: HeldOutLossConfig,
    launch: LaunchConfig,
    folders: FoldersConfig,
) -> dict[str, Any]:
    """The complete description of a training run of the tokenizer ``musik``, or of the finished one."""
    from vidrep_pipelines.models.voc.tokenizers.musik.task import MusikTask
    from vidrep_pipelines.models.voc.tokenizers.presets import published_musik

    if run.preset is not None:
        model, objective = published_musik(model, objective)
    if run.published is not None:
        return _finished(run, model, "musik", folders)
    task = MusikTask(
        frame_store=frames.folder.absolute(),
        initialize_from=run.initialize_from,
        seed=train.seed,
        model=model,
        objective=objective,
    )
    return _spec(task, "musik", frames, train, validation, launch, folders)


def _spec(
    task: "TokenizerTask[Any]",
    kind: TokenizerName,
    frames: FrameStore,
    train: TrainConfig,
    validation: HeldOutLossConfig,
    launch: LaunchConfig,
    folders: FoldersConfig,
) -> dict[str, Any]:
    from vidrep_pipelines.training.config import TrainSpec

    spec = TrainSpec.of(
        task,
        train=train,
        launch=launch,
        run_directory=_folder(folders, kind) / "run",
        report_directory=folders.reporting / f"voc_{kind}_tokenizer",
        data_digest=frames.content_digest,
        probe=held_out_probe(task, kind, frames, validation),
    )
    return spec.model_dump(mode="json")


def held_out_probe(
    task: "TokenizerTask[Any] | JointTask",
    kind: OccupancyName,
    frames: FrameStore,
    validation: HeldOutLossConfig,
) -> ProbeSpec | None:
    """The loss on held-out frames while training; none if there are none, or it is not wanted."""
    if validation.every_steps is None:
        return None
    if validation.split not in set(frames.table["split"]):
        _log.warning("voc: no episode is in the split %r; nothing is measured meanwhile.", validation.split)
        return None
    held_out = task.model_copy(update={"split": validation.split}).model_dump(mode="json")
    return ProbeSpec(
        probe="vidrep_pipelines.models.voc.validation:HeldOutLoss",
        config={"kind": kind, "task": held_out, **validation.model_dump(mode="json")},
        every_steps=validation.every_steps,
        keep=validation.keep,
        publish=validation.publish,
    )


def _finished(
    run: VocTokenizerRunConfig,
    model: VaeConfig | VqkdConfig | MusikConfig,
    kind: TokenizerName,
    folders: FoldersConfig,
) -> dict[str, Any]:
    from vidrep_pipelines.models.voc.tokenizers.checkpoint_io import finished_source
    from vidrep_pipelines.models.voc.tokenizers.presets import released_pixels

    assert run.published is not None
    if run.published_pixels == "as_released" and run.preset is None:  # a preset has set them
        pixels = released_pixels(kind, model.pixels)
        if pixels != model.pixels:
            changed = differences(model.pixels.model_dump(), pixels.model_dump())
            _log.info(
                "voc_tokenizer_%s: %s is given what it needs: %s", kind, run.published, ", ".join(changed)
            )
        model = model.model_copy(update={"pixels": pixels})
    source = finished_source(run.published.absolute(), model)
    directory = _folder(folders, kind) / "published"
    return {_FINISHED: source.model_dump(mode="json"), "directory": directory.as_posix()}


def _folder(folders: FoldersConfig, kind: TokenizerName) -> Path:
    return folders.models.absolute() / f"voc_{kind}_tokenizer"


def train_tokenizer(
    spec: dict[str, Any], tracking: TrackingConfig
) -> tuple[CheckpointSource, pd.DataFrame, dict[str, Any]]:
    """Trains, resumes, or finds that the run is finished; a finished tokenizer is only written anew.

    The checkpoint's configuration is that of a
    :class:`~vidrep_pipelines.models.voc.tokenizers.inference.TokenizerSource`: ``kind`` and ``model``.
    """
    if _FINISHED in spec:
        return _published_checkpoint(spec)
    return shared_nodes.train(spec, tracking)


def _published_checkpoint(spec: dict[str, Any]) -> tuple[CheckpointSource, pd.DataFrame, dict[str, Any]]:
    from vidrep_pipelines.models.voc.tokenizers.checkpoint_io import write_finished
    from vidrep_pipelines.models.voc.tokenizers.inference import TokenizerSource

    source = TokenizerSource.model_validate(spec[_FINISHED])
    weights = write_finished(source, Path(spec["directory"]))
    meta = {"system": f"voc_{source.kind}", "digest": source.digest, "step": 0, "metrics": {}}
    checkpoint = CheckpointSource(
        weights.parent, config={"kind": source.kind, "model": source.model}, meta=meta, weights=weights.name
    )
    return checkpoint, pd.DataFrame({"step": pd.Series(dtype="int64")}), {"status": "published", "step": 0}


def paint_tokenizer_curves(log: pd.DataFrame) -> Image:
    """Losses over the run; of a finished tokenizer, that there are none."""
    from vidrep_pipelines.reporting.figures import notice

    return (
        shared_nodes.paint_curves(log) if len(log) else notice("A published tokenizer: nothing was trained.")
    )


def paint_tokenizer(checkpoint: Checkpoint, frames: FrameStore) -> tuple[Image, Image]:
    """Held-out frames beside what their codes give back or stand for, and how often each code is used."""
    from vidrep_pipelines.models.voc.tokenizers.dataset import StoredFrames
    from vidrep_pipelines.models.voc.tokenizers.inference import checkpoint_source
    from vidrep_pipelines.models.voc.tokenizers.pictures import draw_code_use, paint_tokens

    tokenizer = checkpoint_source(checkpoint.config, checkpoint.weights).load()
    present = set(frames.table["split"])
    split = next(name for name in ("validation", "test", "train") if name in present)
    samples = StoredFrames(frames.folder, split, shift=0, seed=0)
    return paint_tokens(tokenizer, samples), draw_code_use(tokenizer, samples)


def export_tokenizer(checkpoint: Checkpoint) -> dict[str, Any]:
    """A tokenizer's weights under the names of the original repositories."""
    from vidrep_pipelines.models.voc.tokenizers.checkpoint_io import published_weights
    from vidrep_pipelines.models.voc.tokenizers.inference import checkpoint_source

    return published_weights(checkpoint_source(checkpoint.config, checkpoint.weights))


def export_action_energy(checkpoint: Checkpoint) -> dict[str, Any]:
    """The contrastive head of ``musik``, which the original keeps in a file of its own."""
    from vidrep_pipelines.models.voc.tokenizers.checkpoint_io import published_action_energy
    from vidrep_pipelines.models.voc.tokenizers.inference import checkpoint_source

    return published_action_energy(checkpoint_source(checkpoint.config, checkpoint.weights))
