"""How resized videos are encoded. Random access costs the frames between a keyframe and the wanted one."""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from pydantic import Field

from vidrep_pipelines.common.config import FrozenConfig

ProfileName = Literal["train", "small", "published"]


@dataclass(frozen=True)
class EncodingProfile:
    """Options of the libx264 encoder.

    Attributes:
        keyframe_interval: Frames from one keyframe to the next, at most.
        fixed_interval: Keyframes come at exactly that distance, with exactly ``b_frames`` between two other
            frames and no frame that refers to a B-frame; otherwise the encoder decides by the content.
        b_frames: Successive bidirectional frames, at most.
        preset: Encoder effort.
        quality: Constant rate factor; 6 less doubles the size, roughly.
        tune: ``"fastdecode"`` leaves out the parts of H.264 that are slow to decode; empty for none.
        quick: Leaves out what costs the encoder more than it gains: splitting blocks that are predicted from
            other frames, wide searches, looking far ahead, and the preference for what looks sharp to people
            over what is near.
    """

    keyframe_interval: int
    fixed_interval: bool
    b_frames: int
    preset: str
    quality: float = 23.0
    tune: str = ""
    quick: bool = False

    def options(self) -> dict[str, str]:
        """The options in FFmpeg's names."""
        options = {
            "preset": self.preset,
            "crf": str(self.quality),
            "g": str(self.keyframe_interval),
            "bf": str(self.b_frames),
        }
        if self.tune:
            options["tune"] = self.tune
        if self.quick:
            options |= {"partitions": "i4x4,i8x8", "motion-est": "dia", "psy": "0", "rc-lookahead": "8"}
        if self.fixed_interval:
            options |= {"keyint_min": str(self.keyframe_interval), "sc_threshold": "0"}
            options |= {"b_strategy": "0", "b-pyramid": "none"}
        return options


# B-frames that nothing refers to are what makes random access cheap: the packet index skips all that are not
# wanted, three quarters of the frames. Intervals are one more than a multiple of four, so that the last
# frames before a keyframe form a whole group, too.
PROFILES = MappingProxyType(
    {
        "train": EncodingProfile(25, True, 3, "veryfast", 22.3, tune="fastdecode", quick=True),
        "small": EncodingProfile(49, True, 3, "veryfast", 22.8),
        "published": EncodingProfile(250, False, 3, "medium"),
    }
)


class ResizeConfig(FrozenConfig):
    """How videos are brought to one size."""

    short_side: int = Field(256, ge=16, le=4096, multiple_of=2)
    """Pixels of the shorter side. The other side keeps the aspect ratio, rounded down to an even number."""

    profile: ProfileName = "train"
    """``train``: a keyframe every 25 frames, fast to decode, 1.3 times the published bytes. ``small``: every
    49, no more bytes than published. ``published``: the encoder's defaults (a keyframe every 250 frames at
    most), which the papers used; it is an order of magnitude slower to train from. The published command also
    encodes the sound again; no system of this project listens, so every profile leaves it out."""

    min_frames: int = Field(2, ge=1)
    """Clips with fewer decodable frames are failures. A pair needs two; 1 admits still pictures."""

    allow_truncated: bool = True
    """Keep the part of a damaged clip that comes before the damage, if it has ``min_frames`` frames."""

    @property
    def encoding(self) -> EncodingProfile:
        """The options behind the profile's name."""
        return PROFILES[self.profile]


def target_size(width: int, height: int, short_side: int) -> tuple[int, int]:
    """The published rule: the short side becomes ``short_side``, the other one is cut to an even number.

    Args:
        width: Displayed width of the source in pixels.
        height: Displayed height of the source in pixels.
        short_side: Even number of pixels.

    Returns:
        (width, height) of the output; 426 x 240 becomes 454 x 256 for a short side of 256.
    """
    if height > width:
        return short_side, 2 * (short_side * height // (2 * width))
    return 2 * (short_side * width // (2 * height)), short_side
