"""What is kept of a video model's features, and behind which noise they are read.

Apart from the network, whose library takes seconds to import.
"""

from typing import Literal, Self

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from vidrep_pipelines.common.config import FrozenConfig
from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.models.vpp.video.codec_config import FeaturesConfig
from vidrep_pipelines.models.vpp.video.config import UnetConfig

FeaturesShape = tuple[int, int, int, int]
"""(F, C, h, w) of the features of one picture."""


class ReductionConfig(FrozenConfig):
    """What is kept of the features (F, C, h, w) that a video model gives of a picture."""

    kind: Literal["pooled", "frames", "full"] = "pooled"
    """``pooled``: every predicted frame, or the named ones, averaged over a grid. ``frames``: the named ones
    as they are. ``full``: all, as the released policies take them."""

    grid: PositiveInt = 4
    """Rows and columns of the grid of ``pooled``."""

    frames: tuple[NonNegativeInt, ...] = ()
    """Which predicted frames, the first one being what is seen. Empty for ``pooled``: all."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.kind == "frames" and not self.frames:
            raise ValueError("reduction.frames must name frames if reduction.kind is frames")
        if self.kind == "full" and self.frames:
            raise ValueError("reduction.frames has no meaning if reduction.kind is full")
        return self


class FeatureNoiseConfig(FrozenConfig):
    """The noise behind which a video model is asked for its prediction.

    The original draws it anew for every item and every call, so that features, and what the policy does,
    are random in use, too.
    """

    kind: Literal["fixed", "draws", "fresh"] = "fixed"
    """``fixed``: the same noise everywhere, also in use, where the policy then is a function of what it sees.
    ``draws``: so many draws for each picture, of which training takes one. ``fresh``: a new one each time,
    as published, which cannot be stored."""

    draws: PositiveInt = 1
    """K, draws of ``draws``."""

    seed: int = 0
    """Seed of ``fixed`` and ``draws``."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.kind != "draws" and self.draws != 1:
            raise ValueError(f"noise.draws is {self.draws}, which has a meaning only if noise.kind is draws")
        return self


class PolicyFeaturesConfig(FrozenConfig):
    """What a policy looks at: how a video model's features are read and reduced."""

    read: FeaturesConfig = FeaturesConfig()
    """Which up-blocks, in which denoising step."""

    reduction: ReductionConfig = ReductionConfig()
    """What is kept of them."""

    noise: FeatureNoiseConfig = FeatureNoiseConfig()
    """Behind which noise."""

    weights: Literal["float32", "float16"] = "float32"
    """Precision of the network. The released policies were trained on features of float16."""


class FeatureStoreConfig(PolicyFeaturesConfig):
    """How features are stored (``params:vpp_features``)."""

    store: bool = True
    """False: nothing is stored, and the policy's training computes features from latents, each time."""

    dtype: Literal["float16", "float32"] = "float16"
    """How they are stored."""

    splits: tuple[Literal["train", "validation", "test"], ...] = ("train", "validation")
    """Parts of the store that get any."""

    from_frames: bool = False
    """Encodes the frames again, in place of reading their stored latents. Those are equal but for their
    rounding, unless they are samples (``video_latents.extraction.sample_posterior``)."""

    batch_size: int = Field(16, ge=1)
    """Pictures that go through the network at once; nothing depends on it but speed and memory."""

    limit_gibibytes: float = Field(32.0, gt=0)
    """More than this is refused before anything is computed."""

    @property
    def in_digests(self) -> dict[str, object]:
        """What decides the features of a picture."""
        machine = {"store", "batch_size", "limit_gibibytes", "splits", "from_frames"}
        return self.model_dump(mode="json", exclude=machine)


def features_shape(
    unet: UnetConfig, config: PolicyFeaturesConfig, frames: int, size: tuple[int, int]
) -> FeaturesShape:
    """What is kept of the features of one picture, known without the network.

    Args:
        unet: Its sizes.
        config: What is read, and what is kept of it.
        frames: F, frames of a predicted video.
        size: (h, w) of the latents.

    Raises:
        ConfigurationError: The network has no such block, step or frame, or its grid is finer than the
            features.
    """
    read, kept = config.read, config.reduction
    levels = len(unet.channels)
    if read.block >= levels or read.step > read.steps:
        raise ConfigurationError(
            f"read.block is {read.block} of 0..{levels - 1}, read.step {read.step} of 1..{read.steps}. "
            "Remedy: correct the one that is out of range."
        )
    upwards = tuple(reversed(unet.channels))
    channels = sum(upwards[: read.block + 1]) if read.all_layers else upwards[read.block]
    halved = max(levels - 2 - read.block, 0)  # the last block does not enlarge, like the last one downwards
    height, width = (-(-side // 2**halved) for side in size)
    if kept.frames and max(kept.frames) >= frames:
        raise ConfigurationError(
            f"reduction.frames names {max(kept.frames)}, and the video model predicts 0..{frames - 1}. "
            "Remedy: name frames that there are."
        )
    if kept.kind == "pooled":
        if kept.grid > min(height, width):
            raise ConfigurationError(
                f"reduction.grid is {kept.grid}, and the features are {height} x {width}. Remedy: a coarser "
                "grid, or a later block (read.block)."
            )
        height = width = kept.grid
    return len(kept.frames) or frames, channels, height, width
