"""A published configuration laid over parameters of other sizes."""

from typing import NamedTuple

from vidrep_pipelines.models.vqvae.config import (
    VqvaeDataConfig,
    VqvaeModelConfig,
    VqvaeObjectiveConfig,
    VqvaePreset,
    VqvaePresetName,
)
from vidrep_pipelines.training.config import TrainConfig


class VqvaeParameters(NamedTuple):
    """What a training run of VQ-VAE is described by."""

    model: VqvaeModelConfig
    objective: VqvaeObjectiveConfig
    data: VqvaeDataConfig
    train: TrainConfig


def with_preset(name: VqvaePresetName, parameters: VqvaeParameters) -> VqvaeParameters:
    """Sets what distinguishes a published configuration, and keeps everything else.

    With the default parameters the result is exactly the published one; with those of a small model it is
    the same comparison in small. ``train.batch_size`` is taken as frames: the published updates see 720
    frames, be they single or in 60 clips of 12.
    """
    published = VqvaePreset.named(name)
    model = parameters.model.model_copy(update={"decoder": published.model.decoder})
    weights = {
        field: getattr(published.objective, field) for field in ("perceptual_weight", "perceptual_input")
    }
    frames = {field: getattr(published.data, field) for field in ("clip_frames", "first_frames")}
    batch_size = max(1, parameters.train.batch_size // published.data.clip_frames)
    return VqvaeParameters(
        model,
        parameters.objective.model_copy(update=weights),
        parameters.data.model_copy(update=frames),
        parameters.train.model_copy(update={"batch_size": batch_size}),
    )
