"""Nodes of the pretraining of VQ-VAE."""

import logging
from typing import TYPE_CHECKING, Any

from PIL.Image import Image
from pydantic import Field, PositiveInt

from vidrep_pipelines.common.config import FrozenConfig, UserPath
from vidrep_pipelines.datasets.checkpoint import Checkpoint
from vidrep_pipelines.models.vqvae.config import (
    LossFiles,
    VqvaeDataConfig,
    VqvaeModelConfig,
    VqvaeObjectiveConfig,
    VqvaePresetName,
    VqvaeValidationConfig,
)
from vidrep_pipelines.pipelines.config import FoldersConfig
from vidrep_pipelines.training.config import LaunchConfig, ProbeSpec, TrainConfig

if TYPE_CHECKING:
    from vidrep_pipelines.data.frame_store.store import FrameStore
    from vidrep_pipelines.models.vqvae.task import VqvaeTask
else:
    FrameStore = Any  # its module takes seconds to import


class VqvaeRunConfig(FrozenConfig):
    """Which configuration is trained, from what, and where it is kept."""

    folder: str = Field("vqvae", pattern=r"^[A-Za-z0-9_-]+$")
    """Folder of the run below ``folders.models`` and ``folders.reporting``."""

    preset: VqvaePresetName | None = None
    """One of the published configurations: it sets the decoder, the perceptual loss and the frames of a
    sample, see :mod:`vidrep_pipelines.models.vqvae.presets`; sizes stay. None: the parameters as they are."""

    statistics: bool = False
    """Standardize pixels by the statistics of the frame store's training split, in place of ``data.mean`` and
    ``data.std``."""

    initialize_from: UserPath | None = None
    """A checkpoint in the original layout to start from."""

    frames_per_device: PositiveInt | None = None
    """Most frames in one forward pass of a device, in place of ``launch.device_batch_size``: a sample may be
    a frame or a clip."""

    def on_devices(self, launch: LaunchConfig, clip_frames: int) -> LaunchConfig:
        """The machine with as many samples of ``clip_frames`` frames in a forward pass as a device takes."""
        if self.frames_per_device is None:
            return launch
        samples = max(1, self.frames_per_device // clip_frames)
        return launch.model_copy(update={"device_batch_size": samples})


_PROBE = "vidrep_pipelines.models.vqvae.validation:VqvaeValidation"
_log = logging.getLogger(__name__)


def plan_vqvae(
    store: FrameStore,
    run: VqvaeRunConfig,
    data: VqvaeDataConfig,
    model: VqvaeModelConfig,
    objective: VqvaeObjectiveConfig,
    files: LossFiles,
    validation: VqvaeValidationConfig,
    train: TrainConfig,
    launch: LaunchConfig,
    folders: FoldersConfig,
) -> dict[str, Any]:
    """The complete description of a training run on the frame store."""
    from vidrep_pipelines.models.vqvae.presets import VqvaeParameters, with_preset
    from vidrep_pipelines.models.vqvae.task import VqvaeTask
    from vidrep_pipelines.training.config import TrainSpec

    parameters = VqvaeParameters(model, objective, data, train)
    if run.preset is not None:
        parameters = with_preset(run.preset, parameters)
        updates = f"{parameters.train.batch_size} samples of {parameters.data.clip_frames} frames per update"
        _log.info(
            "vqvae: published configuration %s, decoder %s, %s", run.preset, parameters.model.decoder, updates
        )
    if run.statistics:
        statistics = {"mean": store.facts.mean, "std": store.facts.std}
        parameters = parameters._replace(data=parameters.data.model_copy(update=statistics))
    task = VqvaeTask(
        frame_store=store.folder.absolute(),
        data=parameters.data,
        model=parameters.model,
        objective=parameters.objective,
        files=files,
        initialize_from=run.initialize_from,
        shown_split=_held_out_split(store, validation),
        seed=train.seed,
    )
    spec = TrainSpec.of(
        task,
        train=parameters.train,
        launch=run.on_devices(launch, parameters.data.clip_frames),
        run_directory=folders.run_directory(run.folder),
        report_directory=folders.reporting / run.folder,
        data_digest=store.content_digest,
        probe=_probe_spec(task, validation),
    )
    return spec.model_dump(mode="json")


def _held_out_split(store: "FrameStore", validation: VqvaeValidationConfig) -> str | None:
    """The split that is measured and shown, if the store has it."""
    if (store.table["split"] == validation.split).any():
        return validation.split
    _log.warning("vqvae: no view is in the split %r; nothing is measured while training.", validation.split)
    return None


def _probe_spec(task: "VqvaeTask", validation: VqvaeValidationConfig) -> ProbeSpec | None:
    from vidrep_pipelines.models.vqvae.validation import VqvaeValidation

    if task.shown_split is None or validation.every_steps is None:
        return None
    probe = VqvaeValidation(task=task.held_out(), **validation.model_dump())
    return ProbeSpec(
        probe=_PROBE,
        config=probe.model_dump(mode="json"),
        every_steps=validation.every_steps,
        keep={str(name): end for name, end in validation.keep.items()},
        publish=validation.publish,
    )


def paint_vqvae(checkpoint: Checkpoint, spec: dict[str, Any]) -> tuple[Image, Image]:
    """Reconstructions of held-out clips, or of training's if none are held out; the use of the codes."""
    from vidrep_pipelines.models.vqvae.inference import TrainedVqvae
    from vidrep_pipelines.models.vqvae.task import VqvaeTask

    task = VqvaeTask.model_validate(spec["task_config"])
    model = TrainedVqvae.load(checkpoint.directory).model
    return task.held_out().reconstructions_picture(model), task.code_use_picture(model)


def export_vqvae(checkpoint: Checkpoint) -> dict[str, Any]:
    """VQ-VAE's weights under the names of the original repository, with what its code does not have."""
    from vidrep_pipelines.models.vqvae.checkpoint_io import original_checkpoint, unpublished_settings

    unpublished = unpublished_settings(
        VqvaeModelConfig.model_validate(checkpoint.config["model"]),
        VqvaeDataConfig.model_validate(checkpoint.config["data"]),
    )
    if unpublished:
        _log.warning(
            "vqvae: from these weights the original code would compute something else: it does not have %s. "
            "The exported file notes it, and eval_reconstruction_original reads it there.",
            ", ".join(f"{name} = {value}" for name, value in unpublished.items()),
        )
    step = int(checkpoint.meta["step"])
    return original_checkpoint(checkpoint.state_dict(), step=step, unpublished=unpublished)
