"""Nodes of the pretraining of Video Prediction Policy's video model."""

import logging
from typing import TYPE_CHECKING, Any

from PIL.Image import Image
from pydantic import PositiveInt

from vidrep_pipelines.common.config import FrozenConfig, UserPath
from vidrep_pipelines.datasets.checkpoint import Checkpoint
from vidrep_pipelines.models.vpp.video.codec_config import VideoLatentsConfig
from vidrep_pipelines.models.vpp.video.config import (
    AdaptationConfig,
    ClipConfig,
    VideoModelConfig,
    VideoObjectiveConfig,
    VideoSamplingConfig,
    VideoValidationConfig,
)
from vidrep_pipelines.models.vpp.video.mixture import MixtureConfig
from vidrep_pipelines.models.vpp.video.presets import VideoPreset, VideoPresetName
from vidrep_pipelines.pipelines.config import FoldersConfig, SystemParameters
from vidrep_pipelines.training.config import LaunchConfig, ProbeSpec, TrainConfig

if TYPE_CHECKING:
    from vidrep_pipelines.data.frame_store.array_store import FrameArrayStore
    from vidrep_pipelines.data.frame_store.store import FrameStore
    from vidrep_pipelines.models.vpp.video.task import VideoTask
else:
    FrameArrayStore = FrameStore = VideoTask = Any  # their modules take seconds to import

_PROBE = "vidrep_pipelines.models.vpp.video.validation:VideoValidation"
_FOLDER = "vpp_video"
_log = logging.getLogger(__name__)


class VideoParameters(SystemParameters):
    """All parameters of the video model's training (``params:vpp_video``), which its plan alone reads."""

    from_pixels: bool = False
    """Encode frames while training, with noise on the first one, in place of reading stored latents."""

    preset: VideoPresetName | None = None
    """A published configuration, in place of ``clips``, ``model`` (but for the text model's folder),
    ``objective``, ``adaptation`` and ``sampling``: svd, vpp or vpp_calvin. None: as given."""

    initialize_from: UserPath | None = None
    """Folder of a pipeline in diffusers' layout whose UNet is the start: stable-video-diffusion-img2vid, or
    the released svd-robot. None: random weights."""

    clips: ClipConfig
    """What a sample is."""

    mixture: MixtureConfig
    """Which data sets in which shares."""

    model: VideoModelConfig
    """The architecture."""

    objective: VideoObjectiveConfig
    """The loss."""

    adaptation: AdaptationConfig
    """What of the UNet is trained."""

    sampling: VideoSamplingConfig
    """How the predictions in pictures and measurements are made."""

    validation: VideoValidationConfig
    """Measurements while training."""

    train: TrainConfig
    """How long, with which batches and which optimizer."""

    clips_per_device: PositiveInt | None = None
    """Clips in one forward pass of a device, in place of ``launch.device_batch_size``, which is meant for
    images."""


class VideoExportConfig(FrozenConfig):
    """Where a trained video model is written in diffusers' layout (``params:vpp_video_export``)."""

    folder: UserPath
    """Receives ``unet/``, ``scheduler/`` and ``model_index.json``; what is there is replaced."""

    half: bool = False
    """Write the weights in half precision."""


def plan_vpp_video(
    frames: FrameStore,
    latents: FrameArrayStore,
    codec: Checkpoint,
    extraction: VideoLatentsConfig,
    parameters: VideoParameters,
    launch: LaunchConfig,
    folders: FoldersConfig,
) -> dict[str, Any]:
    """The complete description of a training run on clips of a store."""
    from vidrep_pipelines.models.vpp.video.latents import latents_digest
    from vidrep_pipelines.models.vpp.video.task import VideoTask
    from vidrep_pipelines.training.config import TrainSpec

    made_by = latents_digest(codec.digest, extraction)
    same = ("clips", "mixture", "model", "objective", "adaptation", "sampling", "initialize_from")
    chosen = {name: getattr(parameters, name) for name in same}
    if parameters.preset is not None:
        chosen |= VideoPreset.named(parameters.preset, parameters.model.text.folder).task_parts()
    stored = {"latents": latents.folder.absolute(), "latents_digest": made_by}
    task = VideoTask(
        frames=frames.folder.absolute(),
        codec=codec.directory.absolute(),
        seed=parameters.train.seed,
        **({} if parameters.from_pixels else stored),
        **chosen,
    )
    if parameters.clips_per_device is not None:
        launch = launch.model_copy(update={"device_batch_size": parameters.clips_per_device})
    spec = TrainSpec.of(
        task,
        train=parameters.train,
        launch=launch,
        run_directory=folders.run_directory(_FOLDER),
        report_directory=folders.reporting / _FOLDER,
        data_digest=frames.content_digest if parameters.from_pixels else latents.content_digest,
        probe=_probe_spec(task, parameters.validation),
    )
    return spec.model_dump(mode="json")


def _probe_spec(task: VideoTask, validation: VideoValidationConfig) -> ProbeSpec | None:
    from vidrep_pipelines.models.vpp.video.task import HELD_OUT
    from vidrep_pipelines.models.vpp.video.validation import VideoValidation

    held_out = task.on_split(HELD_OUT)
    if held_out is None:
        _log.warning("vpp_video: no clip of the mixture is held out; nothing is measured while training.")
    if held_out is None or validation.every_steps is None:
        return None
    probe = VideoValidation(task=held_out, **validation.model_dump())
    return ProbeSpec(probe=_PROBE, config=probe.model_dump(mode="json"), every_steps=validation.every_steps)


def paint_vpp_video(checkpoint: Checkpoint, spec: dict[str, Any]) -> Image:
    """What happened in held-out clips above what the trained model predicts."""
    from vidrep_pipelines.models.vpp.video.inference import load_video_model
    from vidrep_pipelines.models.vpp.video.task import VideoTask
    from vidrep_pipelines.training.distributed import choose_device

    task = VideoTask.model_validate(spec["task_config"])
    model, _ = load_video_model(checkpoint)
    return task.predictions_picture(model.to(choose_device(LaunchConfig.model_validate(spec["launch"]))))


def export_vpp_video(checkpoint: Checkpoint, export: VideoExportConfig) -> dict[str, Any]:
    """Writes the UNet in diffusers' layout and, of adapters, these by themselves; says where."""
    from vidrep_pipelines.models.vpp.video.export import export_video_model

    folder = export.folder.absolute()
    return {"folder": folder.as_posix(), **export_video_model(checkpoint, folder, half=export.half)}
