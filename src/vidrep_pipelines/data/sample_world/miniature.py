"""What a miniature of a release is made of."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field

from vidrep_pipelines.common.config import FrozenConfig
from vidrep_pipelines.data.sample_world.clips import ClipRequest
from vidrep_pipelines.data.sample_world.config import SampleWorldConfig

ReleaseName = Literal["davis", "jhmdb", "vip"]
MiniatureName = ReleaseName | Literal["tapvid"]


class LabelMiniatureConfig(FrozenConfig):
    """Clips of the sample world that become the miniatures (``params:label_miniature``)."""

    world: SampleWorldConfig = SampleWorldConfig(seed=1, clips=6, frames_min=24, frames_max=32)
    """What is rendered. The seed differs from that of the training clips: these were never seen."""

    quality: int = Field(95, ge=1, le=100)
    """JPEG quality of the frames."""


@dataclass(frozen=True)
class MiniatureClip:
    """A rendered clip of the sample world.

    Attributes:
        id: Activity and name, such as ``push/push_000``.
        video: The video.
        truth: The clip's truth file.
        request: What it was rendered from, of which what is not in the truth follows.
    """

    id: str
    video: Path
    truth: Path
    request: ClipRequest


@dataclass(frozen=True)
class MiniatureRequest:
    """A release to write.

    Attributes:
        release: The release whose layout is written.
        clips: Which clips; none is an empty miniature.
        quality: JPEG quality of frames that the release has as JPEG.
        digest: Changes with the clips' content.
    """

    release: MiniatureName
    clips: tuple[MiniatureClip, ...]
    quality: int
    digest: str
