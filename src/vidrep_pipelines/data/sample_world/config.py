"""Parameters of the sample world."""

from typing import Literal, Self

from pydantic import Field, model_validator

from vidrep_pipelines.common.config import FrozenConfig

ActivityName = Literal["push", "stack", "drop", "pour", "strike", "wave"]
ACTIVITY_NAMES: tuple[ActivityName, ...] = ("push", "stack", "drop", "pour", "strike", "wave")


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

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.frames_max < self.frames_min:
            raise ValueError(
                f"sample world: frames_max ({self.frames_max}) is below frames_min ({self.frames_min})"
            )
        if len(set(self.activities)) < len(self.activities):
            raise ValueError(f"sample world: an activity is listed twice in {list(self.activities)}")
        return self
