"""The published configurations, by their names, and what a user's parameters change in them."""

from typing import Any, Literal, NamedTuple, Self, get_args

from vidrep_pipelines.common.config import FrozenConfig
from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.models.carl.config import (
    AugmentationConfig,
    BackboneOrigin,
    CarlDataConfig,
    CarlModelConfig,
    CarlObjectiveConfig,
    EvaluationCrop,
)
from vidrep_pipelines.models.carl.excerpt_sampling import ExcerptSamplingConfig
from vidrep_pipelines.training.config import OptimizerConfig, TrainConfig

CarlPresetName = Literal[
    "scl_transformer",
    "scl_transformer_action",
    "scl_transformer_finegym",
    "scl_transformer_k400_pretrain",
    "scl",
    "scl_action",
    "scl_finegym",
    "tcc",
    "tcc_action",
    "tcc_finegym",
    "tcc_transformer",
    "tcn",
    "classification_transformer",
    "classification_transformer_finegym",
]
Release = Literal["cvpr2022", "v2021"]

_OLD_PREFIX, _NEW_PREFIX = "simclr", "scl"
_FRAMES = {
    "scl_transformer_action": 80,
    "scl_transformer_k400_pretrain": 80,
    "scl": 40,
    "scl_action": 20,
    "scl_finegym": 40,
    "tcc": 40,
    "tcc_action": 20,
    "tcc_finegym": 40,
    "tcn": 40,
}
_EPOCHS = {
    "scl_transformer_action": 300,
    "scl_transformer_finegym": 300,
    "scl_transformer_k400_pretrain": 10,
    "scl_action": 300,
    "scl_finegym": 100,
    "tcc_action": 300,
    "tcc_finegym": 300,
    "classification_transformer_finegym": 100,
}
_BATCHES = {"scl_transformer_k400_pretrain": 2, "scl_action": 2, "tcn": 2}
_VIDEOS = {"tcc": 2, "tcc_action": 4, "tcc_finegym": 2, "tcc_transformer": 2}
"""TCC's published batches of one process; here the videos of one sample."""
_UNNORMALIZED = ("tcc", "tcc_action", "tcc_transformer", "classification")


class CarlPreset(FrozenConfig):
    """A published configuration.

    Batches are those of one process, as published; the paper trained with four.
    """

    model: CarlModelConfig
    """The architecture."""

    objective: CarlObjectiveConfig
    """The loss."""

    data: CarlDataConfig
    """Sampling and augmentation."""

    train: TrainConfig
    """Optimizer, schedule and length."""

    backbone_origin: BackboneOrigin
    """What the ResNet starts from."""

    chunk_frames: int
    """Most frames that are embedded at once in evaluation."""

    @classmethod
    def named(cls, name: str, release: Release = "cvpr2022", *, classes: int | None = None) -> Self:
        """The configuration of that name.

        Args:
            name: A ``CarlPresetName``, or with ``simclr`` in the place of ``scl``, as the first release
                has it.
            release: The camera-ready code, or the first one. Both are those of Pouring unless the name says
                otherwise.
            classes: Phases, for the names that start with ``classification``.

        Raises:
            ConfigurationError: There is no such name, or the number of classes is missing.
        """
        name = camera_ready_name(name)
        if name not in get_args(CarlPresetName):
            raise ConfigurationError(
                f"There is no configuration {name!r}. Known: {', '.join(get_args(CarlPresetName))}."
            )
        if name.startswith("classification") and classes is None:
            raise ConfigurationError(
                f"{name} needs the number of classes (Pouring has 5, FineGym 99 or 288)."
            )
        transformer, contrast = "transformer" in name, name.startswith("scl")
        return cls(
            model=_model(name, release, classes),
            objective=_objective(name, release),
            data=_data(name, release),
            train=_train(name),
            backbone_origin="byol" if release == "cvpr2022" else "supervised",
            chunk_frames=_chunk(name) if transformer or contrast else 25,
        )


def camera_ready_name(name: str) -> str:
    """The name of a configuration in the camera-ready code; the first release says ``simclr`` for ``scl``."""
    if name.startswith(_OLD_PREFIX):
        return _NEW_PREFIX + name.removeprefix(_OLD_PREFIX)
    return name


def _model(name: str, release: Release, classes: int | None) -> CarlModelConfig:
    common: dict[str, Any] = {
        "frames": _FRAMES.get(name, 240),
        "normalize": name not in _UNNORMALIZED and not name.startswith("classification"),
        "projection_width": 128 if name.startswith("scl") else None,
        "classes": classes if name.startswith("classification") else None,
    }
    if "transformer" in name:
        deep = name.endswith(("_action", "_finegym")) or (release == "v2021" and "k400" not in name)
        return CarlModelConfig(**common, layers=3 if deep else 2)
    convolutional = {
        "encoder": "conv",
        "context_frames": 2,
        "first_trained_stage": 0,
        "frames_per_block": None,
    }
    return CarlModelConfig(**common, **convolutional)


def _objective(name: str, release: Release) -> CarlObjectiveConfig:
    batch = "k400" in name and release == "cvpr2022"
    return CarlObjectiveConfig.model_validate(
        {
            "name": name.partition("_")[0],
            "temperature": 1.0 if release == "v2021" and name.startswith("scl") else 0.1,
            "negatives": "batch_noself" if batch else "single_noself",
        }
    )


def _data(name: str, release: Release) -> CarlDataConfig:
    transformer, contrast = "transformer" in name, name.startswith("scl")
    by_view = name.endswith("finegym") or ("k400" in name and release == "v2021")
    sampling = ExcerptSamplingConfig(
        frames=_FRAMES.get(name, 240),
        views=2 if contrast else 1,
        strategy="time_augment" if transformer else "offset_uniform",
        block="view" if by_view else "video",
        overlap=(1.0 if "k400" in name else 0.2) if contrast and transformer else 0.0,
        context_frames=1 if transformer else 2,
        context_stride=1 if transformer else 15,
        positive_window=5 if name == "tcn" else 0,
    )
    augmentation = AugmentationConfig.basic()
    if contrast:
        blur = 0.0 if name.endswith("finegym") else 0.5
        augmentation = AugmentationConfig(blur_probability=blur, blur_times=4)
    crop: EvaluationCrop = "center_native" if contrast else "resize"
    return CarlDataConfig(
        sampling=sampling,
        augmentation=augmentation,
        evaluation_crop=crop,
        videos_per_sample=_VIDEOS.get(name, 1),
    )


def _train(name: str) -> TrainConfig:
    fixed = name in ("tcc", "tcc_action", "tcc_finegym", "tcn")
    batch = 2 if name.startswith("classification") else _BATCHES.get(name, 1)
    return TrainConfig(
        epochs=_EPOCHS.get(name, 500),
        batch_size=batch,
        precision="bf16",
        clip_gradient_norm=10.0,
        synchronized_batch_norm=True,
        seed=1,
        optimizer=OptimizerConfig(
            name="adam",
            learning_rate=1e-4,
            betas=(0.9, 0.999),
            weight_decay=1e-5,
            schedule="constant" if fixed else "cosine",
            rate_changes="every_epoch",
            warmup_epochs=0,
        ),
    )


def _chunk(name: str) -> int:
    if "transformer" not in name:
        return 100 if name.endswith("finegym") else 25
    return 6000 if name.endswith("finegym") else 1000


_MODEL_METHOD = ("encoder", "context_frames", "normalize", "classes")
_RUN_KEEPING = (
    *("seed", "checkpoint_every_steps", "keep_checkpoints", "keep_every"),
    *("log_every_steps", "resume"),
)


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
