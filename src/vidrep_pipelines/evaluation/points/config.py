"""How points are followed and measured."""

from typing import Literal

from pydantic import Field

from vidrep_pipelines.common.config import FrozenConfig
from vidrep_pipelines.evaluation.label_propagation.config import FrameSize, PropagationConfig
from vidrep_pipelines.evaluation.label_propagation.settings import DeviceName, RunSettings

QueryMode = Literal["first", "strided"]


class PointTrackingConfig(FrozenConfig):
    """How points are followed by the features of all encoders alike (``params:eval_points``)."""

    queries: tuple[QueryMode, ...] = Field(("first", "strided"), min_length=1)
    """Which points are asked for, as TAP-Vid has it. `first`: every point in the first frame in which it is
    visible, followed to the end; `strided`: in every `query_stride`-th frame in which it is visible, followed
    to the end and to the start. The first one given is the headline."""

    query_stride: int = Field(5, ge=1)
    """Frames between two queries for the same point; 5 as published."""

    propagation: PropagationConfig = PropagationConfig(top_k=5, radius=12, context_frames=7)
    """How the label of a point moves from frame to frame, as for masks and joints."""

    frame_size: FrameSize = FrameSize(rule="exact", sides=(512, 512))
    """How large the network sees frames. TAP-Vid measures in a picture of 256x256, whatever its aspect; twice
    that gives a ViT/16 a grid of 32x32."""

    normalization: Literal["published", "encoder"] = "encoder"
    """`encoder`: what the encoder was trained with; `published`: as in the propagation of masks."""

    peak_radius: float = Field(1.5, ge=0)
    """A point is at the weighted mean of the cells within so many cells of the best one."""

    visible_above: float | None = Field(None, ge=0, le=1)
    """A point counts as visible where at least this share of its label is near the best cell. None: for each
    video the share with which the other videos have the highest average Jaccard, so that no video's
    truth is used for its own result."""

    device: DeviceName = "auto"
    """`auto` takes CUDA where there is one; several GPUs share the videos."""

    frames_per_batch: int = Field(8, ge=1)
    """Frames that the network sees at once; has no influence on the result."""

    workers_per_gpu: int = Field(2, ge=1)
    """Worker processes of each GPU, in place of one per core."""

    @property
    def run_settings(self) -> RunSettings:
        """What the features and the propagation need to know."""
        return RunSettings(
            propagation=self.propagation,
            frame_size=self.frame_size,
            normalization=self.normalization,
            stamp="fixed",
        )
