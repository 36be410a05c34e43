"""A published configuration laid over parameters of other sizes."""

from typing import NamedTuple

from vidrep_pipelines.models.carl.config import CarlDataConfig, CarlModelConfig, CarlObjectiveConfig
from vidrep_pipelines.models.carl.presets import CarlPreset
from vidrep_pipelines.training.config import TrainConfig

_MODEL_METHOD = ("encoder", "context_frames", "normalize", "classes")
_RUN_KEEPING = ("seed", "checkpoint_every_steps", "keep_checkpoints", "log_every_steps", "resume")


class CarlParameters(NamedTuple):
    """What a training run of CARL or of a baseline is described by."""

    model: CarlModelConfig
    objective: CarlObjectiveConfig
    data: CarlDataConfig
    train: TrainConfig


def with_preset(preset: CarlPreset, parameters: CarlParameters) -> CarlParameters:
    """The published configuration itself; of the parameters, only seed and cadence of checkpoints stay."""
    kept = {name: getattr(parameters.train, name) for name in _RUN_KEEPING}
    train = preset.train.model_copy(update=kept)
    return CarlParameters(preset.model, preset.objective, preset.data, train)


def with_method_of(preset: CarlPreset, parameters: CarlParameters) -> CarlParameters:
    """Sets what makes up the method, and keeps everything else: the same comparison in small.

    The method is the encoder, the loss with its kind of similarities and negatives, and how samples are drawn
    and changed. Kept are all widths and depths, which stages are trained, the length of views, the strength
    of the contrast in time, optimizer and length of the training.
    """
    model, own = preset.model, parameters.model
    projection = own.projection_width or model.projection_width
    updates = {name: getattr(model, name) for name in _MODEL_METHOD}
    updates["projection_width"] = projection if model.projection_width is not None else None
    sampling = preset.data.sampling.model_copy(update={"frames": own.frames})
    changes = {name: getattr(preset.data, name) for name in ("augmentation", "videos_per_sample")}
    strengths = {name: getattr(parameters.objective, name) for name in ("temperature", "label_variance")}
    return CarlParameters(
        CarlModelConfig.model_validate(own.model_dump() | updates),  # what fits the one may not fit the other
        preset.objective.model_copy(update=strengths),
        parameters.data.model_copy(update={**changes, "sampling": sampling}),
        parameters.train,
    )
