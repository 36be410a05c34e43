"""One evaluation by label propagation: a published preset, and what is changed of it."""

from typing import Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from vidrep_pipelines.common.config import FrozenConfig
from vidrep_pipelines.evaluation.label_propagation.config import (
    DEFAULT_PRESETS,
    FrameResize,
    FrameSize,
    LabelResize,
    NormalizationRule,
    PropagationConfig,
    PropagationPrecision,
    PropagationPresetName,
    PropagationTask,
    Variant,
    preset,
)

DeviceName = Literal["auto", "cpu", "cuda"]


class RunSettings(FrozenConfig):
    """What determines the result of propagating labels, resolved."""

    propagation: PropagationConfig
    """How labels move."""

    frame_size: FrameSize
    """How large the network sees frames."""

    normalization: NormalizationRule
    """See :class:`LabelPropagationConfig`."""

    stamp: Literal["fixed", "extent"]
    """See :class:`LabelPropagationConfig`."""

    label_resize: LabelResize = "direct"
    """See :class:`LabelPropagationConfig`."""

    decoded_cells: int = Field(3, ge=1)
    """See :class:`LabelPropagationConfig`."""

    frame_resize: FrameResize = "opencv"
    """See :class:`LabelPropagationConfig`."""

    @model_serializer(mode="wrap")
    def _without_defaults(self, serialized: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """What has the value that it always had is left out: what was propagated with it stays up to date."""
        described: dict[str, Any] = serialized(self)
        usual = {"label_resize": "direct", "decoded_cells": 3, "frame_resize": "opencv"}
        return {name: value for name, value in described.items() if usual.get(name) != value}


class LabelPropagationConfig(FrozenConfig):
    """How a task is evaluated, for all encoders alike (``params:eval_davis``, ``eval_jhmdb``, ``eval_vip``).

    A field that is null has the value of the preset.
    """

    task: PropagationTask
    """`davis`, `jhmdb` or `vip`: what is propagated and how it is scored."""

    preset: PropagationPresetName | None = None
    """`rsp`, `dino`, `videowalk`, `cropmae`, `dinov3` (DAVIS alone) or `rvm`, as published. None: `rsp` for
    DAVIS, `cropmae` else."""

    variant: Variant | None = None
    """Which of the published algorithms."""

    top_k: int | None = Field(None, ge=1)
    """Sources that a location takes its label from."""

    radius: float | None = None
    """Radius of the window in cells of the grid; 0 or less: no window."""

    context_frames: int | None = Field(None, ge=1)
    """Frames before the target in its context, besides the first one of the video."""

    temperature: float | None = Field(None, gt=0)
    """Divides similarities before the softmax."""

    frame_size: FrameSize | None = None
    """How large the network sees frames."""

    frame_resize: FrameResize | None = None
    """How frames are resized: `opencv`, bilinear without smoothing (of bytes in `dino`, of values else);
    `bicubic` (DINOv3) and `lanczos` (RVM), of bytes by Pillow, which smooths."""

    normalization: NormalizationRule = "published"
    """`published`: ImageNet's mean with the standard deviation of the variant's scripts (0.228 for red in
    `dino`, 0.229 else), in the preset `rvm` what each encoder was trained with; `encoder`: always the
    latter."""

    stamp: Literal["fixed", "extent"] = "fixed"
    """Joints only: stamps of half a cell, or by the extent of the body as UVC has it."""

    label_resize: LabelResize | None = None
    """Label maps only: to the grid of features at once (`direct`), or by nearest neighbor to the size of the
    network's input and from there to the grid (`through_input`), as CropMAE does."""

    decoded_cells: int | None = Field(None, ge=1)
    """Joints only: a joint is where the weighted mean of so many of its best cells is; 3, in CropMAE 5."""

    precision: PropagationPrecision = "fp32"
    """Precision of the network (autocast) and of the ranking of sources. On a device without instructions
    for bfloat16, `bf16` computes in float32; the log says so."""

    device: DeviceName = "auto"
    """`auto` takes CUDA where there is one; several GPUs share the sequences."""

    frames_per_batch: int = Field(8, ge=1)
    """Frames that the network sees at once; has no influence on the result."""

    workers_per_gpu: int = Field(2, ge=1)
    """Worker processes of each GPU, in place of one per core."""

    def resolve(self) -> RunSettings:
        """The preset with the changes.

        Raises:
            ConfigurationError: The preset's source says nothing about the task.
        """
        base = preset(self.task, self.preset or DEFAULT_PRESETS[self.task])
        fields = ("variant", "top_k", "radius", "context_frames", "temperature", "precision")
        changes = {name: getattr(self, name) for name in fields if getattr(self, name) is not None}
        return RunSettings(
            propagation=base.propagation.model_copy(update=changes),
            frame_size=self.frame_size or base.frame_size,
            normalization="encoder" if self.normalization == "encoder" else base.normalization,
            stamp=self.stamp,
            label_resize=self.label_resize or base.label_resize,
            decoded_cells=self.decoded_cells or base.decoded_cells,
            frame_resize=self.frame_resize or base.frame_resize,
        )
