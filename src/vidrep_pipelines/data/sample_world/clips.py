"""Which clips the sample world has."""

from dataclasses import dataclass

from vidrep_pipelines.common.digest import digest_of
from vidrep_pipelines.common.seeds import generator_for, seed_for
from vidrep_pipelines.data.sample_world.config import ActivityName, SampleWorldConfig

CLIP_SUFFIXES = (".mp4", ".h5")
"""A clip's products: the video and its truth."""
_RENDERING = 1
"""Version of what equal parameters render to: raised when the pictures or the truth change."""


@dataclass(frozen=True)
class ClipSpec:
    """One clip.

    Attributes:
        id: Relative path without suffix: class folder and name, such as "pour/pour_003".
        activity: Its class.
        seed: All that happens in it, and its looks, follow from this.
        frames: Its length.
    """

    id: str
    activity: ActivityName
    seed: int
    frames: int


@dataclass(frozen=True)
class ClipRequest:
    """What rendering one clip needs.

    Attributes:
        config: The sample world's parameters.
        spec: The clip.
    """

    config: SampleWorldConfig
    spec: ClipSpec

    @property
    def digest(self) -> str:
        """Changes with all that the clip depends on, and not with how many clips there are."""
        science = self.config.model_dump(exclude={"clips", "activities", "frames_min", "frames_max", "seed"})
        return digest_of(_RENDERING, science, self.spec)


def clip_specs(config: SampleWorldConfig) -> list[ClipSpec]:
    """The clips, dealt to the activities in turn; more of them leave the earlier ones as they are."""
    specs = []
    for number in range(config.clips):
        activity = config.activities[number % len(config.activities)]
        index = number // len(config.activities)
        seed = seed_for(config.seed, activity, index)
        frames = int(generator_for(seed, "length").integers(config.frames_min, config.frames_max + 1))
        specs.append(ClipSpec(f"{activity}/{activity}_{index:03d}", activity, seed, frames))
    return specs


def clip_requests(config: SampleWorldConfig) -> list[ClipRequest]:
    """What to render, one request per clip, in the order of ``clip_specs``."""
    return [ClipRequest(config, spec) for spec in clip_specs(config)]
