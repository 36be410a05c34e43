"""A pause inserted into a video: one of its frames stands still for a while."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from vidrep_pipelines.common.config import FrozenConfig


class InsertedPauseConfig(FrozenConfig):
    """Where a pause is inserted, and how long it is."""

    start: float = Field(0.33, ge=0, lt=1)
    """Share of the video that has passed when it stops."""

    length: float = Field(0.5, gt=0, le=4)
    """How long it stands still, as a share of the video's length."""


@dataclass(frozen=True)
class InsertedPause:
    """The pause of one video.

    Attributes:
        length: L, frames of the video.
        start: Rank of the frame that stands still.
        frames: P, how many copies of it are inserted behind it.
    """

    length: int
    start: int
    frames: int

    @classmethod
    def of(cls, length: int, config: InsertedPauseConfig) -> Self:
        """The pause of a video of ``length`` frames; at least one frame."""
        return cls(length, int(config.start * length), max(1, round(config.length * length)))

    @property
    def ranks(self) -> NDArray[np.int64]:
        """(L + P,) which frame of the video is shown when."""
        return np.insert(np.arange(self.length), self.start + 1, np.full(self.frames, self.start))

    @property
    def places(self) -> NDArray[np.int64]:
        """(L,) where the video's own frames are in the one with the pause."""
        own = np.arange(self.length)
        return own + self.frames * (own > self.start)
