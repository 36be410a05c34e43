"""Parameters of the data stages: where videos come from and which clips are kept."""

from pathlib import Path

from pydantic import Field

from vidrep_pipelines.common.config import FrozenConfig
from vidrep_pipelines.data.listing import VIDEO_SUFFIXES


class IngestConfig(FrozenConfig):
    """Where the raw videos are (``params:ingest``)."""

    root: Path | None = None
    """Folder of videos, flat or in class folders of any nesting. None: the sample world is used."""

    suffixes: tuple[str, ...] = tuple(sorted(VIDEO_SUFFIXES))
    """File endings that count as video, in lower case."""

    annotations: Path | None = None
    """Kinetics' official CSV (label, youtube_id, ...): gives classes to the clips of a flat folder."""

    split: str | None = None
    """With ``annotations``: keep only the rows of this split, for example ``train``."""


class LabelFilterConfig(FrozenConfig):
    """Which resized clips become training material (``params:label_filter``)."""

    min_frames: int = Field(2, ge=1)
    """Shorter clips are dropped: two distinct frames cannot be drawn from a clip of one frame."""

    min_short_side: int = Field(1, ge=1)
    """Clips whose source had a smaller short side, in pixels, are dropped."""

    drop_truncated: bool = False
    """Also drop clips that broke in the middle. False keeps the frames before the damage."""

    include_classes: tuple[str, ...] = ()
    """Keep only these classes. Empty: all."""

    exclude_classes: tuple[str, ...] = ()
    """Drop these classes."""

    label_list: Path | None = None
    """An official ``label_full_1.0.pickle``, or the folder of one: keep only the clips that it names."""
