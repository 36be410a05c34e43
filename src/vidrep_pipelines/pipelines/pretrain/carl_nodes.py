"""Nodes of the pretraining of CARL and its baselines."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from PIL.Image import Image
from pydantic import Field, field_validator

from vidrep_pipelines.common.config import FrozenConfig, UserPath
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.tables.table import Rows
from vidrep_pipelines.datasets.checkpoint import Checkpoint, CheckpointSource
from vidrep_pipelines.evaluation.frame_embeddings.config import PhasesConfig
from vidrep_pipelines.fanout.parts import Parts
from vidrep_pipelines.models.carl.config import (
    BackboneOrigin,
    CarlDataConfig,
    CarlModelConfig,
    CarlObjectiveConfig,
    CarlValidationConfig,
    EmbeddingConfig,
    MissingLayers,
)
from vidrep_pipelines.models.carl.presets import CarlPresetName, Release, camera_ready_name
from vidrep_pipelines.pipelines.config import FoldersConfig
from vidrep_pipelines.training.config import LaunchConfig, ProbeSpec, TrainConfig

if TYPE_CHECKING:
    from vidrep_pipelines.data.frame_store.store import FrameStore
    from vidrep_pipelines.data.labelled_videos.frame_labels import LabelledVideos
    from vidrep_pipelines.models.carl.presets import CarlParameters
    from vidrep_pipelines.training.config import TrainSpec
else:
    FrameStore = LabelledVideos = Any  # their modules take seconds to import


class CarlRunConfig(FrozenConfig):
    """Which configuration is trained, from what, and where it is kept."""

    folder: str = Field("carl", pattern=r"^[A-Za-z0-9_-]+$")
    """Folder of the run below ``folders.models`` and ``folders.reporting``."""

    preset: CarlPresetName | None = None
    """A published configuration, of CARL or of a baseline, laid over the parameters: see
    :mod:`vidrep_pipelines.models.carl.presets`. The names of the first release (``simclr...``) are
    known, too. None: the parameters as they are."""

    release: Release = "cvpr2022"
    """Which version of the published configurations: the camera-ready code, or the first release."""

    sizes: Literal["published", "kept"] = "published"
    """With a preset: take everything from it, or only the method, and keep sizes, lengths and rates."""

    splits: tuple[str, ...] = Field(("train",), min_length=1)
    """Parts of the release that are trained on; FineGym has ``additional`` events."""

    backbone_origin: BackboneOrigin = "byol"
    """What the ResNet starts from. Published: ``byol`` by name, ``supervised`` in the first release."""

    backbone_weights: UserPath | None = None
    """File of these weights, in torchvision's or timm's layout for ``supervised``."""

    initialize_from: UserPath | None = None
    """A checkpoint of the whole model in the original layout to start from, in place of
    ``backbone_weights``."""

    missing_layers: MissingLayers = "refuse"
    """What is done where ``initialize_from`` has fewer layers than the model."""

    @field_validator("preset", mode="before")
    @classmethod
    def _one_name(cls, value: object) -> object:
        return camera_ready_name(value) if isinstance(value, str) else value


_PROBE = "vidrep_pipelines.adapters.carl_validation:CarlValidation"
_log = logging.getLogger(__name__)


def plan_carl(
    store: FrameStore,
    labelled: LabelledVideos,
    run: CarlRunConfig,
    data: CarlDataConfig,
    model: CarlModelConfig,
    objective: CarlObjectiveConfig,
    train: TrainConfig,
    validation: CarlValidationConfig,
    embedding: EmbeddingConfig,
    phases: PhasesConfig,
    launch: LaunchConfig,
    folders: FoldersConfig,
) -> dict[str, Any]:
    """The complete description of a training run on a frame store with labels."""
    from vidrep_pipelines.models.carl.dataset import write_frame_labels
    from vidrep_pipelines.models.carl.presets import CarlParameters

    classes = int(labelled.table["classes"].max())
    parameters = _with_published(run, CarlParameters(model, objective, data, train), classes)
    if parameters.objective.name == "classification":
        _require_labels(labelled, run)
    needs_labels = parameters.objective.name == "classification" or parameters.data.videos_per_sample > 1
    run_directory = folders.run_directory(run.folder)
    source = {
        "frame_store": store.folder.absolute(),
        "splits": run.splits,
        "labels": write_frame_labels(labelled, run_directory) if needs_labels else None,
    }
    spec = _spec(source, run, parameters, launch, folders, store.content_digest)
    probe = _probe_spec(spec, labelled, validation, embedding, phases)
    return spec.model_copy(update={"probe": probe}).model_dump(mode="json")


def _probe_spec(
    spec: "TrainSpec",
    labelled: "LabelledVideos",
    validation: CarlValidationConfig,
    embedding: EmbeddingConfig,
    phases: PhasesConfig,
) -> ProbeSpec | None:
    """What is measured of a training on held-out videos; none if there are none, or it is not wanted."""
    from vidrep_pipelines.adapters.carl_validation import CarlValidation
    from vidrep_pipelines.data.labelled_videos.frame_labels import keep_labelled_videos
    from vidrep_pipelines.models.carl.task import CarlTask

    if validation.every is None and validation.every_steps is None:
        return None
    held_out = labelled.table["split"] == validation.split
    if not held_out.any():
        _log.warning(
            "carl: no video is in the split %r; nothing is measured while training.", validation.split
        )
        return None
    labelled_frames = labelled.table.loc[held_out, "labelled_frames"].sum()
    probe = CarlValidation(
        **{**validation.model_dump(), "evaluate": validation.evaluate and bool(labelled_frames)},
        task=CarlTask.model_validate({**spec.task_config, "splits": (validation.split,)}),
        labels=keep_labelled_videos(spec.run_directory.with_name("labels"), labelled),
        phases=phases,
        embedding=embedding,
    )
    return ProbeSpec(
        probe=_PROBE,
        config=probe.model_dump(mode="json"),
        every=validation.every,
        every_steps=validation.every_steps,
        keep=validation.keep,
        publish=validation.publish,
    )


def _require_labels(labelled: "LabelledVideos", run: CarlRunConfig) -> None:
    """Refuses to learn labels that nobody gave: the loss would be zero from the first step to the last."""
    of_splits = labelled.table[labelled.table["split"].isin(run.splits)]
    if not of_splits["labelled_frames"].sum():
        raise InputError(
            f"carl: no frame of the splits {list(run.splits)} has a label, which classification learns from. "
            "Remedy: a release with labels, or another objective (scl, tcc or tcn need none)."
        )


def plan_carl_on_clips(
    clips: Rows,
    videos: Parts,
    run: CarlRunConfig,
    data: CarlDataConfig,
    model: CarlModelConfig,
    objective: CarlObjectiveConfig,
    train: TrainConfig,
    launch: LaunchConfig,
    folders: FoldersConfig,
) -> dict[str, Any]:
    """The complete description of a training run on resized clips, which needs no labels."""
    from vidrep_pipelines.data.clips.table import content_digest, snapshot
    from vidrep_pipelines.models.carl.presets import CarlParameters

    parameters = _with_published(run, CarlParameters(model, objective, data, train), classes=None)
    source = {
        "clip_table": snapshot(clips, folders.run_directory(run.folder)),
        "videos": videos.folder.absolute(),
    }
    return _spec(source, run, parameters, launch, folders, content_digest(clips)).model_dump(mode="json")


def _with_published(
    run: CarlRunConfig, parameters: "CarlParameters", classes: int | None
) -> "CarlParameters":
    """The parameters, with the published configuration that was asked for laid over them."""
    from vidrep_pipelines.models.carl.presets import CarlPreset, with_method_of, with_preset

    if run.preset is None:
        return parameters
    preset = CarlPreset.named(run.preset, run.release, classes=classes)
    overlay = with_preset if run.sizes == "published" else with_method_of
    _log.info("carl: published configuration %s (%s), sizes: %s", run.preset, run.release, run.sizes)
    return overlay(preset, parameters)


def _spec(
    source: dict[str, Any],
    run: CarlRunConfig,
    parameters: "CarlParameters",
    launch: LaunchConfig,
    folders: FoldersConfig,
    data_digest: str,
) -> "TrainSpec":
    from vidrep_pipelines.models.carl.task import CarlTask
    from vidrep_pipelines.training.config import TrainSpec

    task = CarlTask(
        **source,
        data=parameters.data,
        model=parameters.model,
        objective=parameters.objective,
        backbone_origin=run.backbone_origin,
        backbone_weights=run.backbone_weights,
        initialize_from=run.initialize_from,
        missing_layers=run.missing_layers,
        seed=parameters.train.seed,
    )
    return TrainSpec.of(
        task,
        train=parameters.train,
        launch=launch,
        run_directory=folders.run_directory(run.folder),
        report_directory=folders.reporting / run.folder,
        data_digest=data_digest,
    )


def initialize_carl(spec: dict[str, Any]) -> CheckpointSource:
    """The same model with the weights that its training starts from: the floor of every evaluation."""
    from vidrep_pipelines.models.carl.given_weights import write_untrained
    from vidrep_pipelines.training.config import TrainSpec
    from vidrep_pipelines.training.task import load_task

    folder, checked = Path(spec["run_directory"]).with_name("untrained"), TrainSpec.model_validate(spec)
    write_untrained(checked, folder)
    config = load_task(checked).checkpoint_config()
    return CheckpointSource(folder, config=config, meta={"system": "carl", "step": 0})


def paint_carl(checkpoint: Checkpoint, spec: dict[str, Any]) -> tuple[Image, Image]:
    """How two views of a video find one another in time, and what views look like."""
    from vidrep_pipelines.models.carl.inference import TrainedCarl
    from vidrep_pipelines.models.carl.task import CarlTask

    task = CarlTask.model_validate(spec["task_config"])
    model = TrainedCarl.load(checkpoint.directory).model
    return task.similarity_picture(model), task.views_picture()


def export_carl(checkpoint: Checkpoint) -> dict[str, Any]:
    """CARL's weights under the names of the original repository, with the settings that they need."""
    from vidrep_pipelines.models.carl.checkpoint_io import (
        original_checkpoint,
        original_settings,
        unpublished_settings,
    )

    model = CarlModelConfig.model_validate(checkpoint.config["model"])
    if unpublished_settings(model):
        _log.warning(
            "carl: the original code would use these weights without %s", unpublished_settings(model)
        )
    last_epoch = max(0, int(checkpoint.meta["passes"]) - 1)  # the original counts finished epochs from 0
    return original_checkpoint(checkpoint.state_dict(), epoch=last_epoch, settings=original_settings(model))
