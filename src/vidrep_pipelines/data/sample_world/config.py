"""Parameters of the sample world."""

from typing import Any, Literal, Self

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from vidrep_pipelines.common.arrays import Pair
from vidrep_pipelines.common.config import FrozenConfig

ActivityName = Literal["push", "stack", "drop", "pour", "strike", "wave"]
ACTIVITY_NAMES: tuple[ActivityName, ...] = ("push", "stack", "drop", "pour", "strike", "wave")


class PacingConfig(FrozenConfig):
    """How uneven an activity runs, as real pouring and exercise do; everything is drawn for each clip."""

    spread: float = Field(default=0.6, ge=0, le=2)
    """How unequal the steps' paces are: standard deviation of their logarithms. 0.35 without pacing."""
    most_pauses: int = Field(default=2, ge=0, le=8)
    """The arm stands still up to so many times."""
    pause_share: Pair = (0.05, 0.25)
    """Bounds of a pause's length, as shares of the clip's."""
    repeat_probability: float = Field(default=0.5, ge=0, le=1)
    """Probability that two steps of the later half are gone through once more."""
    skip_probability: float = Field(default=0.3, ge=0, le=1)
    """Probability that a step without which the activity still makes sense is skipped."""
    cut_probability: float = Field(default=0.5, ge=0, le=1)
    """Probability that the clip begins late; and, on its own, that it ends early."""
    cut_share: float = Field(default=0.3, ge=0, le=1)
    """The most that is missing at either end, as a share of the clip's length."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        low, high = self.pause_share
        if not 0 <= low <= high <= 0.5:
            raise ValueError(f"pacing: pause_share must be two ascending shares up to 0.5, not {[low, high]}")
        return self


class SampleWorldConfig(FrozenConfig):
    """How many clips are rendered, how large, and how like a real camera's they are."""

    seed: int = 0
    """Everything that is drawn follows from it."""
    clips: int = Field(default=24, ge=1)
    """Number of clips, dealt to the activities in turn. More clips leave the earlier ones as they are."""
    activities: tuple[ActivityName, ...] = Field(default=ACTIVITY_NAMES, min_length=1)
    """Classes, which become the names of the class folders."""
    width: int = Field(default=320, ge=32, multiple_of=2)
    """Pixels."""
    height: int = Field(default=240, ge=32, multiple_of=2)
    """Pixels. The world is framed for pictures between 1:1 and 16:9."""
    frames_min: int = Field(default=60, ge=16)
    """Shortest clip, in frames. Below about fifty the arm is too slow to finish what it is asked."""
    frames_max: int = Field(default=110, ge=16)
    """Longest clip, in frames."""
    frames_per_second: int = Field(default=24, ge=8, le=120)
    """Frame rate of the video and of the control."""
    policy_noise: float = Field(default=0.05, ge=0, le=1)
    """Standard deviation of the disturbance of the scripted policy, as a share of the full joint speed."""
    distractors: int = Field(default=2, ge=0, le=3)
    """Objects that take no part in the activity, behind and in front of the arm."""
    shutter: float = Field(default=0.5, ge=0, le=1)
    """Share of the frame time for which the shutter is open: the length of the motion blur; 0 for none."""
    sensor_noise: float = Field(default=2.5, ge=0, le=32)
    """Standard deviation of the noise in bright areas, in gray levels of 255."""
    quality: int = Field(default=18, ge=0, le=51)
    """Constant rate factor of H.264: lower is better and larger."""
    keyframe_interval: int = Field(default=250, ge=1)
    """Frames between keyframes, long as in camera files."""
    pacing: PacingConfig | None = None
    """Pauses, changes of speed, repeated and skipped steps, other starts and ends. None: every activity runs
    once from its beginning to its end."""

    @model_serializer(mode="wrap")
    def _without_what_is_not_used(self, fields: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Worlds without pacing are older than the parameter: their digests stay what they were."""
        values: dict[str, Any] = fields(self)
        if self.pacing is None:
            values.pop("pacing", None)
        return values

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.frames_max < self.frames_min:
            raise ValueError(
                f"sample world: frames_max ({self.frames_max}) is below frames_min ({self.frames_min})"
            )
        if len(set(self.activities)) < len(self.activities):
            raise ValueError(f"sample world: an activity is listed twice in {list(self.activities)}")
        return self
