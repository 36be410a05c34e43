"""Parameters of the data stages: where videos come from and which clips are kept."""

from typing import Self

from pydantic import Field, model_validator

from vidrep_pipelines.common.config import FrozenConfig, UserLocation, UserPath
from vidrep_pipelines.data.files.listing import VIDEO_SUFFIXES


class IngestConfig(FrozenConfig):
    """Where the raw videos are (``params:ingest``)."""

    root: UserLocation | None = None
    """Folder of videos, flat or in class folders of any nesting: a local path, or the address of a store that
    fsspec knows (``s3://bucket/folder``; extra ``remote``). None: the sample world is used."""

    suffixes: tuple[str, ...] = tuple(sorted(VIDEO_SUFFIXES))
    """File endings that count as video, in lower case."""

    annotations: UserPath | None = None
    """Kinetics' official CSV (label, youtube_id, ...): gives classes to the clips of a flat folder. Lists of
    names and labels (Kinetics-600's .txt), ActivityNet's JSON and test lists without labels are read, too."""

    split: str | None = None
    """Keep only the rows of this split of ``annotations``, for example ``train``."""

    rows: UserPath | None = None
    """CARL's list for Kinetics, ``train.csv`` with rows ``relative path,label``: only the videos that it
    names are used, without the four that its authors found broken. None: all that is below the root."""


class KineticsConfig(FrozenConfig):
    """Kinetics as it is published (``params:kinetics``): archives of clips, and tables of their classes."""

    archives: UserPath
    """The archives as downloaded: their folder, or a text file that names one archive per line (a path, or
    the address it was fetched from; the archive itself lies beside the text file)."""

    clips: UserPath
    """Folder to unpack to, one folder for each archive."""

    annotations: UserPath
    """The official CSV: label, youtube_id, time_start, time_end, split, is_cc; or another form of it, see
    ``ingest.annotations``."""

    split: str | None = None
    """Keep only the rows of this split, for example ``train``."""


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

    label_list: UserPath | None = None
    """An official ``label_full_1.0.pickle``, or the folder of one: keep only the clips that it names."""


class TarShardsConfig(FrozenConfig):
    """How clips are packed into tar archives."""

    clips_per_shard: int = Field(default=4096, ge=1)
    """Clips in one archive: at 87 kB read per sample, hundreds of megabytes that lie together on the disk."""


class ProbeClipsConfig(FrozenConfig):
    """Clips with class labels that a probe is trained and measured on (``params:probe_clips``).

    Kinetics: ``train`` and ``validation``. Something-Something v2: ``something_something``. None of them:
    clips of the sample world, whose classes are its activities.
    """

    train: UserPath | None = None
    """Folder of clips in class folders, or flat with ``train_annotations``: the probe is trained on these."""

    validation: UserPath | None = None
    """The same of the clips that it is measured on."""

    train_annotations: UserPath | None = None
    """Kinetics' official CSV or JSON, or a list of names and labels, for clips in a flat folder."""

    validation_annotations: UserPath | None = None
    """The same of the clips that it is measured on."""

    something_something: UserPath | None = None
    """Folder of Something-Something v2 that has the folders of labels (JSON) and of videos; classes are the
    templates, parts the published ones."""

    most_per_class: int | None = Field(None, ge=2)
    """Take at most so many clips of each class and part, the first by name. None: all."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.train is None) != (self.validation is None):
            raise ValueError("train and validation are needed together, or neither")
        if self.train is not None and self.something_something is not None:
            raise ValueError("there are two sources: leave out train and validation, or something_something")
        return self

    @property
    def of_sample_world(self) -> bool:
        """Whether clips of the sample world are used."""
        return self.train is None and self.something_something is None
