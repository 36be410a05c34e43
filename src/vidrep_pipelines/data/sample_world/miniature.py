"""What a miniature of a release is made of."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

ReleaseName = Literal["davis", "jhmdb", "vip"]


@dataclass(frozen=True)
class LabelledClip:
    """A rendered clip of the sample world.

    Attributes:
        id: Activity and name, such as ``push/push_000``.
        video: The video.
        truth: Its truth file.
    """

    id: str
    video: Path
    truth: Path


@dataclass(frozen=True)
class MiniatureRequest:
    """A release to write.

    Attributes:
        release: Whose layout.
        clips: Which clips; none is an empty miniature.
        quality: JPEG quality of frames that the release has as JPEG.
        digest: Changes with the clips' content.
    """

    release: ReleaseName
    clips: tuple[LabelledClip, ...]
    quality: int
    digest: str
