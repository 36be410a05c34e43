"""Data, sizes and loss of CARL and its baselines. Defaults are published for Pouring (CVPR 2022)."""

from typing import Literal, Self

from pydantic import Field, PositiveInt, model_validator

from vidrep_pipelines.common.arrays import Pair
from vidrep_pipelines.common.config import FrozenConfig, UserPath
from vidrep_pipelines.models.carl.excerpt_sampling import ExcerptSamplingConfig

EvaluationCrop = Literal["short_side_center", "resize", "center_native"]
"""``short_side_center``: the central square, resized. ``resize``: the whole frame, without keeping its shape.
``center_native``: the central square of the model's size without resizing, as published for the contrastive
models; of a 640x360 frame that is a fifth."""


class AugmentationConfig(FrozenConfig):
    """One draw for all frames of a view. Defaults are those of self-supervised training; see ``basic``."""

    crop_scale: Pair | None = (0.8, 1.0)
    """Bounds of the crop's share of the frame's area. None: the whole frame."""

    crop_ratio: Pair = (3 / 4, 4 / 3)
    """Bounds of the crop's width over its height."""

    flip_probability: float = Field(0.5, ge=0, le=1)
    """Probability of mirroring left and right."""

    jitter_probability: float | None = Field(0.8, ge=0, le=1)
    """Probability of changing colors, in random order. None: always, in the order of the fields below."""

    brightness: float = Field(0.8, ge=0)
    """Half the range of the brightness factor around 1; 0.8 times the published strength."""

    contrast: float = Field(0.8, ge=0)
    """Half the range of the contrast factor around 1."""

    saturation: float = Field(0.8, ge=0)
    """Half the range of the saturation factor around 1."""

    hue: float = Field(0.2, ge=0, le=0.5)
    """Half the range of the shift of hue, in turns of the color circle."""

    blur_probability: float = Field(0.5, ge=0, le=1)
    """Probability of blurring where colors are changed; 0 for FineGym."""

    blur_radius: Pair = (0.1, 2.0)
    """Bounds of the Gaussian's standard deviation, in pixels of the resized frame."""

    blur_times: int = Field(1, ge=1, le=4)
    """How often the blur is applied. The original blurs after each of the four color operations (4), in
    effect with twice the radius; the paper blurs once."""

    gray_probability: float = Field(0.2, ge=0, le=1)
    """Probability of taking the colors away."""

    exact: bool = False
    """Work frame by frame through Pillow in the data loader, with the published rounding; much slower."""

    @classmethod
    def basic(cls) -> "AugmentationConfig":
        """What the published baselines that are not contrastive use."""
        return cls(
            crop_scale=None,
            jitter_probability=None,
            brightness=32 / 255,
            contrast=0.5,
            saturation=0.0,
            hue=0.0,
            blur_probability=0.0,
            gray_probability=0.0,
        )

    @classmethod
    def none(cls) -> "AugmentationConfig":
        """Whole frames as they are."""
        return cls(crop_scale=None, flip_probability=0.0, jitter_probability=0.0, gray_probability=0.0)


EncoderName = Literal["transformer", "conv", "vanilla"]
ObjectiveName = Literal["scl", "tcc", "tcn", "classification"]
BackboneOrigin = Literal["byol", "supervised", "mocov2", "simclr", "random"]
"""What a ResNet is started from: weights of that method on ImageNet, or none."""

MissingLayers = Literal["refuse", "copy_last"]
"""What is done where weights to start from have fewer transformer layers than the model. ``copy_last``:
those that are missing start as copies of it; Kinetics is trained with two layers, PennAction with three."""

_STAGES = {"transformer": 4, "conv": 3, "vanilla": 4}


class CarlModelConfig(FrozenConfig):
    """The architecture: a ResNet on every frame, and a head that relates the frames."""

    encoder: EncoderName = "transformer"
    """Head: a transformer over time (CARL), 3D convolutions over a few context frames (TCC's architecture),
    or ``vanilla``, perceptrons on each frame's maximum."""

    image_size: int = Field(224, gt=0)
    """Side of the square frames in pixels."""

    frames: int = Field(240, gt=0)
    """Frames T of a training view. The transformer numbers the frames of any clip from 0 to T - 1, so a
    checkpoint only means something together with this number."""

    context_frames: int = Field(1, ge=1)
    """Frames that are seen at each position, itself included; 2 in the published convolutional models."""

    stage_widths: tuple[PositiveInt, PositiveInt, PositiveInt, PositiveInt] = (64, 128, 256, 512)
    """Bottleneck widths of the ResNet's stages; their outputs are four times as wide."""

    stage_blocks: tuple[PositiveInt, PositiveInt, PositiveInt, PositiveInt] = (3, 4, 6, 3)
    """Blocks of the ResNet's stages; the default is ResNet-50."""

    first_trained_stage: int = Field(4, ge=0, le=5)
    """Stages below stay as they were initialized, with fixed batch statistics; 0 is the stem. Published: 4
    for the transformer, 0 for the convolutional models; 5 freezes the whole ResNet."""

    frames_per_block: int | None = Field(40, ge=1)
    """Positions that go through the ResNet at once. In training the batch statistics of its trained stages
    are those of a block, as published. None: all positions, as published for the convolutional models."""

    hidden_width: int = Field(512, gt=0)
    """Width of the two perceptron layers behind the pooling."""

    convolution_width: int = Field(512, gt=0)
    """Channels of the two 3D convolutions."""

    token_width: int = Field(256, gt=0, multiple_of=2)
    """Width of the transformer."""

    feedforward_width: int = Field(1024, gt=0)
    """Hidden width of its perceptrons."""

    heads: int = Field(8, gt=0)
    """Its attention heads."""

    layers: int = Field(2, ge=1)
    """Its layers: 2 for Pouring and Kinetics, 3 for PennAction and FineGym."""

    identical_layers: bool = True
    """Start all layers from the same random weights, as published (copies of one layer)."""

    positions: Literal["clip", "relative", "none"] = "clip"
    """What the transformer knows of time. ``clip``: where in the clip a frame is, as published; of whole
    videos, even untrained weights then give embeddings in perfect order. ``relative``: which frames come
    before and after (rotary attention). ``none``: nothing."""

    standardize_features: bool = False
    """Standardize what the transformer gets of each frame over the clip, channel by channel: what stays the
    same throughout, such as the background, then says nothing. Not published; lets small models that start
    from random weights learn within minutes."""

    embedding_width: int = Field(128, gt=0)
    """D, width of the embeddings."""

    dropout: float = Field(0.1, ge=0, lt=1)
    """Dropout in the head, everywhere but inside attention and its perceptrons."""

    normalize: bool = True
    """Give embeddings unit length."""

    projection_width: int | None = Field(128, gt=0)
    """Hidden width of the projection that only the contrastive loss sees. The original has a parameter for
    it (512) that it ignores. None: no projection."""

    classes: int | None = Field(None, ge=1)
    """Phases for the supervised baseline. None: no classifier."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.token_width % self.heads:
            raise ValueError(f"token_width={self.token_width} is not a multiple of heads={self.heads}")
        if self.positions == "relative" and self.token_width // self.heads % 2:
            raise ValueError("relative positions need an even number of channels per head")
        if self.encoder == "transformer" and self.context_frames != 1:
            raise ValueError(
                f"the transformer has no context frames, but context_frames={self.context_frames}"
            )
        if self.projection_width is not None and self.classes is not None:
            raise ValueError("set projection_width or classes, not both: one loss, one output")
        return self

    @property
    def stages(self) -> int:
        """Stages of the ResNet that the head builds on; the convolutional models leave the last one out."""
        return _STAGES[self.encoder]

    @property
    def feature_width(self) -> int:
        """Channels of the maps that the head gets."""
        return 4 * self.stage_widths[self.stages - 1]


class CarlObjectiveConfig(FrozenConfig):
    """What is minimized."""

    name: ObjectiveName = "scl"
    """Sequence contrast (CARL), cycle consistency (TCC), time contrast (TCN), or supervised phases."""

    temperature: float = Field(0.1, gt=0)
    """Divides similarities; in TCC together with the width. 1.0 in the first release of CARL."""

    label_variance: float = Field(10.0, gt=0)
    """SCL: variance of the Gaussian over time, in squared frames."""

    negatives: Literal["single_noself", "batch_noself", "single", "batch"] = "single_noself"
    """SCL: what a frame is contrasted with, see ``sequence_contrast.Negatives``."""

    gather_negatives: bool = False
    """SCL with ``batch`` negatives: also contrast with the frames of the other processes. Not published."""

    cycle_loss: Literal["regression_mse_var", "regression_mse", "regression_huber", "classification"] = (
        "regression_mse_var"
    )
    """TCC: what is compared at the end of a cycle."""

    similarity: Literal["l2", "cosine"] = "l2"
    """TCC: how near frames are."""

    label_smoothing: float = Field(0.1, ge=0, lt=1)
    """TCC: share of the target that is spread over all other frames."""

    variance_weight: float = Field(0.001, ge=0)
    """TCC: weight of the logarithm of the variance."""

    normalize_time: bool = True
    """TCC: times in units of the video's length."""

    norm_weight: float = Field(0.002, ge=0)
    """TCN: weight of the squared lengths."""

    @model_validator(mode="after")
    def _check_negatives(self) -> Self:
        if self.gather_negatives and not (self.name == "scl" and self.negatives.startswith("batch")):
            raise ValueError("gather_negatives needs name: scl and negatives: batch or batch_noself")
        return self


class CarlDataConfig(FrozenConfig):
    """Which frames of which videos make a sample, and what is done to them."""

    sampling: ExcerptSamplingConfig = ExcerptSamplingConfig()
    """How views are drawn from a video."""

    augmentation: AugmentationConfig = AugmentationConfig()
    """What is done to the frames in training."""

    evaluation_crop: EvaluationCrop = "short_side_center"
    """How frames are fitted to the model's size outside training."""

    videos_per_sample: int = Field(1, ge=1)
    """Videos of one class in a sample, for objectives that compare videos; the published batches of TCC."""

    fraction: float = Field(1.0, gt=0, le=1)
    """Share of the training videos that is used, the first ones."""


class CarlValidationConfig(FrozenConfig):
    """What is measured on held-out videos while training, and which weights are kept by it."""

    every: int | None = Field(50, ge=1)
    """Passes over the data between two measurements, as published; the end is always measured. None: see
    ``every_steps``, or never."""

    every_steps: int | None = Field(None, ge=1)
    """Updates between two measurements, in place of ``every``."""

    split: str = "validation"
    """Part of the frame store whose loss is measured."""

    batch_size: int = Field(1, ge=1)
    """Samples whose loss is measured together."""

    evaluate: bool = True
    """Also embed all videos and do the tasks of the release, as published. False: only the loss."""

    keep: dict[str, Literal["lowest", "highest"]] = Field(default_factory=dict)
    """Scores by which the best weights are kept in the run's folder, below ``best``: ``{loss: lowest}``."""

    publish: str | None = None
    """The one of ``keep`` whose best weights become the trained model. None: the last weights do."""

    @model_validator(mode="after")
    def _check_interval(self) -> Self:
        if self.every is not None and self.every_steps is not None:
            raise ValueError("set every or every_steps, not both; set the other to null")
        if self.publish is not None and self.publish not in self.keep:
            raise ValueError(f"publish: {self.publish} needs an entry in keep")
        return self


class OriginalCarlConfig(FrozenConfig):
    """A checkpoint of the original code, and what it does not say of itself."""

    folder: str = Field("carl_original", pattern=r"^[A-Za-z0-9_-]+$")
    """Folder below ``folders.models`` for its weights as ours."""

    path: UserPath | None = None
    """The file, ``checkpoint_epoch_<n>.pth``. Sizes follow from its tensors. None: there is none."""

    image_size: int = Field(224, gt=0)
    """Side of the square frames that it was trained with, in pixels."""

    frames: int | None = Field(None, ge=1)
    """Frames T of a training view, in place of what the file says of it; published: 240 for Pouring and
    FineGym, 80 for PennAction and Kinetics."""

    heads: int = Field(8, gt=0)
    """Attention heads of the transformer."""

    context_frames: int = Field(2, ge=1)
    """Frames at each position of a convolutional model."""

    context_stride: int = Field(15, ge=1)
    """Frames from one of them to the next."""

    evaluation_crop: EvaluationCrop = "center_native"
    """How frames are fitted to the model's size: as published for contrastive models, or ``resize`` as for
    the others."""

    seed: int = Field(1, ge=0)
    """Seed of the random weights of the floor: the same network, in which only the ResNet's stages that were
    not trained are the checkpoint's."""


class EmbeddingConfig(FrozenConfig):
    """How a video is cut for embedding. Nearly every video is one chunk."""

    chunk_frames: int = Field(1000, ge=1)
    """Most frames that the transformer relates at once: 1000 published, 6000 for FineGym."""

    seams: Literal["blend", "published"] = "blend"
    """``blend``: chunks overlap and fade into one another. ``published``: equal chunks side by side, each
    embedded as if it were a video of its own."""

    overlap: float = Field(0.25, ge=0, le=0.5)
    """Share of a chunk that it has in common with the next one, used by ``blend``."""

    frames_per_block: int = Field(40, ge=1)
    """Positions that go through the ResNet at once; changes memory and speed only."""

    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    """Arithmetic; embeddings are float32 in any case. The original evaluates in float16."""

    @model_validator(mode="after")
    def _check_overlap(self) -> "EmbeddingConfig":
        if self.seams == "blend" and self.chunk_frames * self.overlap < 1 < self.chunk_frames:
            raise ValueError("overlap is less than one frame; raise it, or set seams: published")
        return self
