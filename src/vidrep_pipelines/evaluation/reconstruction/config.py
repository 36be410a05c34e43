"""Parameters of the evaluation of reconstructions."""

from typing import Literal

from pydantic import Field

from vidrep_pipelines.common.config import FrozenConfig, UserPath


class MeasuredClipsConfig(FrozenConfig):
    """Which clips of a frame store are reconstructed and measured."""

    split: str = "test"
    """Part of the store."""

    frames: int = Field(12, ge=1)
    """Length of a clip. The Frechet video distance needs nine; its values depend on length and number."""

    first_frames: int | None = Field(None, ge=1)
    """Use only so many frames from the start of every view: 12 as published, where each view gives one clip.
    None: all, cut into clips that do not overlap."""

    limit: int | None = Field(None, ge=1)
    """At most so many clips, spread evenly over all. None: all."""

    batch_size: int = Field(8, ge=1)
    """Clips that are reconstructed together; changes no result."""


PixelRange = Literal["clamped", "rounded", "as_published"]

CodecName = Literal["jpeg", "webp", "area", "nearest"]
"""What needs no training: two codecs of pictures, and two ways to keep fewer pixels."""


class ReconstructionEvaluationConfig(FrozenConfig):
    """How reconstructions are measured."""

    pixel_range: PixelRange = "clamped"
    """``clamped`` puts reconstructions into 0..1, as a display does; ``rounded`` also to one of 256 levels,
    as a file does; ``as_published`` leaves values outside, as the original does by an oversight."""

    frechet_clips: int = Field(256, ge=2)
    """Fewest clips of which a Frechet distance is reported, overall and for each robot; of fewer, the
    distance tells more of their number than of the model. Published: 256. Compare only values of equal
    numbers."""

    confidence: float = Field(0.95, gt=0, lt=1)
    """Probability that a bootstrap interval covers the true mean."""

    resamples: int = Field(1000, ge=1)
    """How often the bootstrap draws trajectories anew."""

    seed: int = 0
    """Seed of the bootstrap's draws."""

    vgg16: UserPath | None = None
    """torchvision's ImageNet weights ``vgg16-397923af.pth``, for LPIPS."""

    perceptual_heads: UserPath | None = None
    """The linear layers of LPIPS 0.1 on VGG, ``vgg.pth`` (7 KB), for LPIPS."""

    action_features: UserPath | None = None
    """I3D of Kinetics-400, for the Frechet video distance: ``i3d_torchscript.pt``, or weights alone."""

    frame_features: UserPath | None = None
    """Inception-v3, ``inception-2015-12-05.pt`` and no other, for the Frechet distance of single frames."""
