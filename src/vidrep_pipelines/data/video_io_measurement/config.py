"""What is measured: which encodings, on how many clips, how often."""

from dataclasses import replace
from typing import Self

from pydantic import Field, model_validator

from vidrep_pipelines.common.config import FrozenConfig
from vidrep_pipelines.data.video.profiles import PROFILES, EncodingProfile, ProfileName


class EncodingChoice(FrozenConfig):
    """One way of encoding the clips."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")
    """What it is called in tables, pictures and file names."""

    profile: ProfileName
    """Encoder settings, see ``resize.profile``."""

    keyframe_interval: int | None = Field(default=None, ge=1)
    """Frames from one keyframe to the next instead of the profile's own. 1 makes every frame a keyframe."""

    b_frames: int | None = Field(default=None, ge=0, le=16)
    """Successive B-frames instead of the profile's own. 0 shows the effect of the keyframe interval alone."""

    @property
    def encoding(self) -> EncodingProfile:
        """The encoder's options."""
        profile = PROFILES[self.profile]
        return replace(
            profile,
            keyframe_interval=self.keyframe_interval or profile.keyframe_interval,
            b_frames=profile.b_frames if self.b_frames is None else self.b_frames,
        )


class MeasureVideoIoConfig(FrozenConfig):
    """What ``measure_video_io`` measures (``params:measure_video_io``)."""

    seed: int = 0
    """Chooses the clips and the frames that are read."""

    clips: int = Field(default=4, ge=1)
    """How many of the videos are measured."""

    max_frames: int = Field(default=300, ge=2)
    """Longer videos are measured on their first frames only."""

    pairs: int = Field(default=12, ge=1)
    """Frame pairs that are read from every clip, in every encoding, by every reader."""

    sequential_rounds: int = Field(default=3, ge=1)
    """How often every clip is decoded from end to end."""

    encodings: tuple[EncodingChoice, ...] = Field(
        default=(
            EncodingChoice(name="published", profile="published"),
            EncodingChoice(name="small", profile="small"),
            EncodingChoice(name="train", profile="train"),
        ),
        min_length=1,
    )
    """The encodings; the first one is what the others are compared with."""

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        names = [encoding.name for encoding in self.encodings]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(f"measure_video_io.encodings: the names {repeated} occur more than once")
        return self
