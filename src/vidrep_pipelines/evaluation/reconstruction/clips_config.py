"""Parameters of the choice of clips that are measured."""

from pydantic import Field

from vidrep_pipelines.common.config import FrozenConfig


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
