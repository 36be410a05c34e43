"""Which encoders are evaluated: one small config per kind."""

from collections.abc import Container, Mapping
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from vidrep_pipelines.common.arrays import Triple
from vidrep_pipelines.common.config import FrozenConfig, UserPath
from vidrep_pipelines.common.former_names import current_dataset

PositionRule = Literal["dino", "timm"]

IMAGENET_MEAN: Triple = (0.485, 0.456, 0.406)
IMAGENET_STD: Triple = (0.229, 0.224, 0.225)


class _TransformerOptions(FrozenConfig):
    positions: PositionRule = "dino"
    """How the position table is resampled to another grid. `dino`: bicubic by scale factors of the grid plus
    0.1, without smoothing, as the published evaluations do; `timm`: bicubic to the size, smoothed, as the
    authors of DINOv2 with registers and of T-CoRe do. Rotary positions follow the grid by themselves."""


class _TrainedOptions(_TransformerOptions):
    stage: int | None = Field(None, ge=1, le=4)
    """CARL: the stage of its ResNet whose output is taken. None: the last one that its head builds on."""

    cell: int | None = Field(None, gt=0)
    """VQ-VAE, CARL and tokenizers: features are averaged over cells of so many pixels, a multiple of their
    stride. None: as they are."""


class CheckpointEncoderConfig(_TrainedOptions):
    """The encoder of a model that the pipeline trained."""

    kind: Literal["checkpoint"] = "checkpoint"
    """Names this kind of encoder."""

    dataset: Annotated[str, AfterValidator(current_dataset)]
    """Name of the checkpoint in the catalog, such as `rsp_checkpoint`."""


class FolderEncoderConfig(_TrainedOptions):
    """The encoder of a model that this project trained at another time or place: RSP, CARL, VQ-VAE, VOC."""

    kind: Literal["folder"] = "folder"
    """Names this kind of encoder."""

    path: UserPath
    """The checkpoint's folder, which holds `model.safetensors`, `config.json` and `meta.json`."""


TrainedEncoderConfig = CheckpointEncoderConfig | FolderEncoderConfig
"""Encoders that this project trained."""


class OriginalEncoderConfig(_TransformerOptions):
    """A ViT in a file of an original repository (RSP, MAE, DINO, MoCo v3); sizes follow from the tensors."""

    kind: Literal["original"] = "original"
    """Names this kind of encoder."""

    path: UserPath
    """The file: `.pth` or `.safetensors`."""

    entry: str | None = None
    """Key of the weights in the file. None: `model` if present, else the file itself. DINO's full
    checkpoints need `teacher`."""

    heads: int | None = Field(None, gt=0)
    """Attention heads, which no tensor shows. None: 64 channels each, as in every published ViT."""

    mean: Triple = IMAGENET_MEAN
    """Normalization that it was trained with."""

    std: Triple = IMAGENET_STD
    """Normalization that it was trained with."""


class TimmEncoderConfig(_TransformerOptions):
    """Any network of timm's that gives a feature map, with weights from a local file, or as timm draws them.

    ViTs, those with registers and rotary positions too (DINOv2, DINOv3, SigLIP, MAE, CLIP), ConvNeXt, ResNet.
    """

    kind: Literal["timm"] = "timm"
    """Names this kind of encoder."""

    model: str
    """timm's name, such as `vit_small_patch16_dinov3`, `convnext_tiny` or `resnet50`."""

    weights: UserPath | None
    """State dict under timm's names, or the authors' that timm converts, `.safetensors` or `.pth`; nothing is
    downloaded. None, which has to be said: random weights, a floor of that architecture."""

    seed: int = 0
    """Random weights follow from it; it has no influence on others."""

    entry: str | None = None
    """Key of the state dict in the file. None: `model` if present, else the file itself."""

    image_size: int | None = Field(None, gt=0)
    """ViT: side of the images that its position table is made for. None: the size that timm has for it."""

    stage: int = Field(3, ge=1, le=4)
    """Networks whose grid grows coarser: which of the last four levels is taken, in a ResNet or ConvNeXt the
    stage; 3 has a stride of 16 as a ViT/16 has. ViTs give the output of their last block."""

    output_stride: Literal[8, 16, 32] = 32
    """Convolutional networks: stride of the last stage. 8 or 16 dilate late stages (8 at stage 3 of a ResNet
    is videowalk's grid)."""


class VjepaEncoderConfig(FrozenConfig):
    """V-JEPA 2 or 2.1, which looks at clips. Which of them, and its sizes, follow from the tensors."""

    kind: Literal["vjepa"] = "vjepa"
    """Names this kind of encoder."""

    path: UserPath
    """The weights: `model.safetensors` in transformers' layout, whose `config.json` is read if beside it,
    or the authors' `.pt`."""

    entry: str | None = None
    """Key of the weights in the file. None: the first of `target_encoder`, `ema_encoder`, `encoder` and
    `model` that there is, else the file itself."""

    heads: int | None = Field(None, gt=0)
    """Attention heads. None: what `config.json` says, else those of the published models of this width."""

    window: int = Field(16, gt=0)
    """Frames that are looked at together, a multiple of 2. It was trained on 16 and 64."""


class VideoMaeEncoderConfig(FrozenConfig):
    """VideoMAE, which looks at clips of as many frames as in its training: 16, or what `config.json` says."""

    kind: Literal["videomae"] = "videomae"
    """Names this kind of encoder."""

    path: UserPath
    """The weights: `model.safetensors` in transformers' layout, whose `config.json` is read if beside it,
    or the authors' `.pth`."""

    entry: str | None = None
    """Key of the weights in the file. None: `model` if present, else the file itself."""

    heads: int | None = Field(None, gt=0)
    """Attention heads. None: what `config.json` says, else those of the published models of this width."""


class RvmEncoderConfig(FrozenConfig):
    """RVM, which sees a video as a stream: the features of a frame depend on all frames before it."""

    kind: Literal["rvm"] = "rvm"
    """Names this kind of encoder."""

    path: UserPath
    """The published `.npz`; sizes follow from its arrays."""


class VideoModelEncoderConfig(FrozenConfig):
    """The video model of Video Prediction Policy: features of its up-blocks, in one pass behind fixed noise.

    Every picture is the first frame of a video that nothing is said about.
    """

    kind: Literal["vpp_video"] = "vpp_video"
    """Names this kind of encoder."""

    path: UserPath
    """The checkpoint's folder, which `pretrain_vpp_video` publishes."""

    codec: UserPath
    """Folder of what makes latents of pictures for it; it has to be the one that it was trained with."""

    block: int = Field(1, ge=0)
    """The up-block whose output is the last one read."""

    all_layers: bool = False
    """Reads the blocks before it too, enlarged to its size and joined on channels."""

    frames: tuple[int, ...] = Field((0,), min_length=1)
    """Which of the frames that it is about to predict, joined on channels; 0 is the picture itself."""

    seed: int = 0
    """The noise follows from it."""

    @field_validator("frames")
    @classmethod
    def _check_frames(cls, frames: tuple[int, ...]) -> tuple[int, ...]:
        if min(frames) < 0 or len(set(frames)) != len(frames):
            raise ValueError("frames must be different numbers from 0 on")
        return frames


class RandomEncoderConfig(_TransformerOptions):
    """A ViT that has learned nothing: the floor that a trained one must be above. Sizes: RSP's ViT-S/16."""

    kind: Literal["random"] = "random"
    """Names this kind of encoder."""

    seed: int = 0
    """The weights follow from it."""

    image_size: int = Field(224, gt=0)
    """Side of the images that its position table is made for."""

    patch_size: int = Field(16, gt=0)
    """Side of a patch in pixels."""

    dimension: int = Field(384, gt=0, multiple_of=4)
    """Width of the tokens."""

    depth: int = Field(12, gt=0)
    """Number of blocks."""

    heads: int = Field(6, gt=0)
    """Attention heads."""

    @model_validator(mode="after")
    def _check_divisors(self) -> Self:
        for whole, part in (("image_size", "patch_size"), ("dimension", "heads")):
            if getattr(self, whole) % getattr(self, part):
                raise ValueError(f"{whole}={getattr(self, whole)} is not a multiple of {part}")
        return self


class PixelEncoderConfig(FrozenConfig):
    """No network: the colors of each patch, averaged over a few squares. A second floor."""

    kind: Literal["pixels"] = "pixels"
    """Names this kind of encoder."""

    patch_size: int = Field(16, gt=0)
    """Side of a patch in pixels."""

    squares: int = Field(4, gt=0)
    """Squares along one side of a patch: 4 give 4 * 4 * 3 = 48 features."""

    @model_validator(mode="after")
    def _check_divisor(self) -> Self:
        if self.patch_size % self.squares:
            raise ValueError(f"patch_size={self.patch_size} is not a multiple of squares={self.squares}")
        return self


VideoEncoderConfig = VjepaEncoderConfig | VideoMaeEncoderConfig | RvmEncoderConfig
"""Encoders that look at more than one frame."""

StandaloneEncoderConfig = (
    OriginalEncoderConfig
    | TimmEncoderConfig
    | VideoEncoderConfig
    | FolderEncoderConfig
    | VideoModelEncoderConfig
    | RandomEncoderConfig
    | PixelEncoderConfig
)
"""Encoders that need nothing from the catalog."""

EncoderConfig = Annotated[CheckpointEncoderConfig | StandaloneEncoderConfig, Field(discriminator="kind")]


def is_untrained(config: EncoderConfig) -> bool:
    """Whether the encoder has learned nothing: a floor."""
    return isinstance(config, RandomEncoderConfig | PixelEncoderConfig) or (
        isinstance(config, TimmEncoderConfig) and config.weights is None
    )


class EncodersConfig(FrozenConfig):
    """The encoders by name (``params:encoders``)."""

    known: Mapping[str, EncoderConfig]
    """Every encoder that can be asked for; the names are those of the reports."""

    use: tuple[str, ...] | None = Field(None, min_length=1)
    """Those that are evaluated, in the order of the reports. None: all known ones, without the checkpoints
    that the pipeline does not have."""

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        strangers = [name for name in self.use or () if name not in self.known]
        if strangers:
            raise ValueError(f"use names {', '.join(strangers)}, but known are {', '.join(self.known)}")
        return self

    def selected(self, checkpoints: Container[str]) -> dict[str, EncoderConfig]:
        """The configs of those that are used.

        Args:
            checkpoints: Those that there are, by their names in the catalog.
        """
        if self.use is not None:
            return {name: self.known[name] for name in self.use}
        return {
            name: config
            for name, config in self.known.items()
            if not isinstance(config, CheckpointEncoderConfig) or config.dataset in checkpoints
        }
