"""Data, sizes and noise of the toy system."""

from pydantic import Field

from vidrep_pipelines.common.config import FrozenConfig
from vidrep_pipelines.data.clips.sampling import PairSampling


class NextColorModelConfig(FrozenConfig):
    """The architecture: two linear layers on a color."""

    width: int = Field(16, gt=0)
    """Units of the hidden layer."""


class NextColorObjectiveConfig(FrozenConfig):
    """The loss: squared error of the predicted color."""

    noise_scale: float = Field(0.02, ge=0)
    """Standard deviation of the noise on the color that the network sees, in the units of 0..1."""


class NextColorDataConfig(FrozenConfig):
    """Which frames make a pair, and how large they are."""

    sampling: PairSampling = PairSampling(pairs_per_clip=1, max_distance=4, min_distance=1)
    """Distance between the frames of a pair."""

    size: int = Field(16, gt=0)
    """Side of the square frames in pixels."""
