"""Parameters of a frame store."""

from typing import Any, Literal

from pydantic import Field, NonNegativeInt, model_validator

from vidrep_pipelines.common.config import FrozenConfig

ResizeRule = Literal["area", "antialiased", "letterbox"]
AspectRule = Literal["squash", "crop", "pad"]
FrameStorage = Literal["raw", "mp4"]

SPLITS = ("train", "validation", "test")


class FilmConfig(FrozenConfig):
    """How frames are encoded that are stored as an mp4 (H.264) instead of one by one."""

    quality: float = Field(14, ge=0, le=51)
    """Constant rate factor of the encoder: 0 is best, 6 less doubles the size, roughly.
    ``docs/robot_episodes.md`` says which PSNR it leads to."""

    keyframe_interval: int = Field(9, ge=1, le=250)
    """Frames from one keyframe to the next: a single frame is decoded from the keyframe before it. One more
    than a multiple of four suits the encoder, which puts three frames that no other needs between two that
    do. 1: every frame by itself."""


class FramesConfig(FrozenConfig):
    """How the frames of an episode are prepared."""

    height: int = Field(64, ge=1)
    """Height of the stored frames in pixels."""

    width: int = Field(64, ge=1)
    """Width of the stored frames in pixels."""

    min_frames: int = Field(12, ge=1)
    """Shorter views are left out, with a reason: no window of this length could be drawn from them."""

    allow_truncated: bool = True
    """Keeps what came before the damage in a view that breaks in the middle, if that is long enough."""

    resize: ResizeRule = "area"
    """How pixels are computed, see ``resize_rules.py``: ``area`` averages what a new pixel covers;
    ``antialiased`` is CALVIN's published rule, ``letterbox`` that of raw two-armed recordings."""

    aspect: AspectRule = "squash"
    """``squash``: whole frames at any shape, as published. ``crop`` cuts the longer side, ``pad`` puts black
    bars beside the shorter one: both keep the shape of things, which otherwise differs between data sets."""

    storage: FrameStorage = "raw"
    """``raw``: pixels as they are, read by one system call. ``mp4``: a film per view, a small part of the
    size, with more work at reading and pixels that differ a little."""

    mp4: FilmConfig = FilmConfig()
    """How ``mp4`` encodes; ``raw`` has no use for it."""

    @model_validator(mode="after")
    def _bars_once(self) -> "FramesConfig":
        if self.resize == "letterbox" and self.aspect != "squash":
            raise ValueError(
                f"frames: resize letterbox has bars of its own, so that aspect {self.aspect} has no meaning"
            )
        return self

    @property
    def in_digests(self) -> dict[str, Any]:
        """What digests hold of it: the rules of former versions are left out, so that those stay."""
        fields = self.model_dump()
        if self.storage == "raw":
            del fields["storage"], fields["mp4"]
        for name, former in (("resize", "area"), ("aspect", "squash")):
            if fields[name] == former:
                del fields[name]
        return fields

    @property
    def rule(self) -> str | None:
        """Name of the rule, as shards hold it; none for that of former versions."""
        return None if (self.resize, self.aspect) == ("area", "squash") else f"{self.resize}, {self.aspect}"


class SplitConfig(FrozenConfig):
    """Which episodes are held out."""

    unit: Literal["trajectory", "view"] = "trajectory"
    """What is dealt to the splits. ``view`` is the published rule: every camera of a trajectory on its own,
    so that other cameras of nearly every held-out trajectory are trained on. Comparable with the original,
    but no measure of generalization."""

    validation: float = Field(256, ge=0)
    """Number of units held out for validation; below 1, their share of all."""

    test: float = Field(256, ge=0)
    """Number of units held out for the test; below 1, their share of all."""

    seed: int = 23
    """Seed of the shuffle (Python's generator, as published)."""

    each_robot: bool = False
    """Deals the units of every robot, or data set, on their own, so that all of them are held out in part and
    another one changes nothing. Numbers are then per robot. One with fewer than three units is trained on."""


class SelectionConfig(FrozenConfig):
    """Which views of the prepared episodes go into a store."""

    robots: tuple[str, ...] = ()
    """Keep only these robots. Empty: all."""

    cameras: tuple[NonNegativeInt, ...] = ()
    """Keep only the views of these cameras. Empty: all."""


class FrameStoreConfig(FrozenConfig):
    """A frame store: which views, dealt to which split, in files of which size."""

    name: str = Field("frames", pattern=r"^[A-Za-z0-9_-]+$")
    """Part of the names of the shards: ``train/<name>_train_00000.h5``."""

    selection: SelectionConfig = SelectionConfig()
    """Which views."""

    split: SplitConfig = SplitConfig()
    """Which of them are held out."""

    separate_robots: bool = False
    """Every robot, or data set, has its own shards: needed where states or actions differ in size."""

    shard_mebibytes: int = Field(1024, ge=1)
    """Size of a shard. A trajectory is never divided, so that a shard may be a little larger."""

    @model_validator(mode="after")
    def _shares_leave_something(self) -> "FrameStoreConfig":
        shares = [share for share in (self.split.validation, self.split.test) if share < 1]
        if sum(shares) >= 1:
            raise ValueError("split.validation and split.test leave nothing to train on")
        return self
