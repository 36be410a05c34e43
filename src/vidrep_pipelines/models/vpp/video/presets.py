"""The published configurations of the video model, by their names."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, Self

from vidrep_pipelines.common.config import FrozenConfig
from vidrep_pipelines.models.vpp.video.config import (
    AdaptationConfig,
    ClipConfig,
    TextConfig,
    UnetConfig,
    VideoModelConfig,
    VideoObjectiveConfig,
    VideoSamplingConfig,
)

VideoPresetName = Literal["svd", "vpp", "vpp_calvin"]

CALVIN_MIXTURE: Mapping[str, float] = MappingProxyType(
    {"sthv2": 0.4, "bridge": 0.2, "rt1": 0.2, "calvin": 0.2}
)
"""Share of each data set in the samples of the released CALVIN recipe."""


class VideoPreset(FrozenConfig):
    """A published configuration.

    The published schedule is the same for all: AdamW with a constant rate of 5e-6 from the first step on,
    betas 0.9 and 0.999, no weight decay, gradients clipped to norm 1, float16, 6 clips on each of 8 GPUs, up
    to 500 000 steps (about 100 000 for what was released), a checkpoint every 20 000 and no averaged weights.
    The paper says 10 clips a GPU and 2 to 3 days on 8 A100. The whole UNet is trained, from the weights of
    Stable Video Diffusion; VAE and text model are frozen.
    """

    model: VideoModelConfig
    """The architecture."""

    objective: VideoObjectiveConfig
    """The loss."""

    sampling: VideoSamplingConfig
    """How its predictions were made."""

    adaptation: AdaptationConfig
    """What was trained."""

    frames: int
    """F, frames of a clip."""

    def task_parts(self) -> dict[str, Any]:
        """Its parts under the names of a :class:`~vidrep_pipelines.models.vpp.video.task.VideoTask`."""
        return {
            "model": self.model,
            "objective": self.objective,
            "sampling": self.sampling,
            "adaptation": self.adaptation,
            "clips": ClipConfig(frames=self.frames),
        }

    @classmethod
    def named(cls, name: VideoPresetName, text_folder: Path | None = None) -> Self:
        """The configuration of that name.

        Args:
            name: ``svd``: the start weights' own frames and sampling, with a text model in the place of their
                picture embedding. ``vpp``: the general model and the xbot model. ``vpp_calvin``: the one
                fine-tuned on CALVIN, which has no position encoding.
            text_folder: CLIP's text model (ViT-B/32), if it is to be used.
        """
        text = TextConfig(folder=text_folder, position_encoding=name != "vpp_calvin")
        sampling = VideoSamplingConfig(steps=25, guidance=3.0) if name == "svd" else VideoSamplingConfig()
        return cls(
            model=VideoModelConfig(unet=UnetConfig(), text=text),
            objective=VideoObjectiveConfig(),
            sampling=sampling,
            adaptation=AdaptationConfig(),
            frames=14 if name == "svd" else 16,
        )
