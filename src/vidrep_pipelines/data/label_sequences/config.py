"""Where the videos with labels are that label propagation is evaluated on."""

from pathlib import Path
from typing import Literal

from vidrep_pipelines.common.config import FrozenConfig, UserPath


class DavisConfig(FrozenConfig):
    """DAVIS-2017: objects in videos (``params:davis``)."""

    root: UserPath | None = None
    """Folder `DAVIS` of DAVIS-2017-trainval-480p.zip, with JPEGImages, Annotations and ImageSets. None: a
    miniature of it from the sample world."""

    split: str = "val"
    """Name of the list in ImageSets/2017."""

    protocol: Literal["rsp", "native"] = "rsp"
    """`rsp`: frames and annotations are resized to 880x480, nearest, frames saved again as JPEG, as RSP's
    authors did: slightly degraded frames, a boundary tolerance of 9 instead of 8 pixels, and other aspects
    distorted. `native`: the files as they are."""

    prepared: UserPath = Path("data/03_primary/davis_880x480")
    """Where the resized release is written, in DAVIS' own layout."""


class JhmdbConfig(FrozenConfig):
    """JHMDB: joints of people (``params:jhmdb``)."""

    root: UserPath | None = None
    """Folder with Rename_Images (or Frames), joint_positions and splits. None: a miniature of it."""

    split: Literal[1, 2, 3] = 1
    """Which of the three published splits; results are reported on the test list of the first."""

    list: UserPath | None = None
    """A list of clips with two columns, folder of images and .mat file in either order, as published with
    other evaluations. None: the test clips of `splits/*_test_split<n>.txt`."""


class VipConfig(FrozenConfig):
    """VIP: parts of people (``params:vip``)."""

    root: UserPath | None = None
    """Folder `VIP_Fine` with Images, Annotations/Category_ids and lists. None: a miniature of it."""

    list: UserPath | None = None
    """Names of the videos, one in a line (or folder of images and of annotations). None:
    `lists/val_videos.txt`."""


class PointsConfig(FrozenConfig):
    """TAP-Vid: points of videos and where they move (``params:points``)."""

    root: UserPath | None = None
    """`tapvid_davis.pkl` or `tapvid_rgb_stacking.pkl`, or the folder that one of them is in. None: a
    miniature of the first from the sample world."""
