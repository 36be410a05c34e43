"""A long video and its labels, as all sources list them."""

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.common.item_id import is_usable
from vidrep_pipelines.data.frame_store.episode import EpisodeSource

Labels = NDArray[np.int64]
UNLABELLED = -1
"""Label of a frame about which nothing is known."""

SPLIT_OF = MappingProxyType({"train": "train", "val": "validation"})
"""The splits by the names that the releases use."""


@dataclass(frozen=True)
class LongVideo:
    """One video.

    Attributes:
        source: Where its frames come from; the name is ``<split>/<name>``.
        split: ``train``, ``validation``, or another one that the release has.
        read_labels: Gives (T,) labels for the T frames that the video turned out to have, ``UNLABELLED`` or
            from 0; T' labels if the release has so many. Raises an InputError if there are none.
        classes: Number of the labels.
        phases: Whether the labels are the phases of one activity, so that every video should show all.
        action: Name of the activity.
        action_label: Its number; -1 if the release gives none.
    """

    source: EpisodeSource
    split: str
    read_labels: Callable[[int], Labels]
    classes: int
    phases: bool
    action: str = ""
    action_label: int = UNLABELLED

    @property
    def id(self) -> str:
        """``<split>/<name>``."""
        return self.source.trajectory


class LeftOut(NamedTuple):
    """A video that cannot be used.

    Attributes:
        id: Its name, as far as it is known.
        split: Its split; empty if it is not known.
        reason: Why not, and what to do.
    """

    id: str
    split: str
    reason: str


@dataclass(frozen=True)
class LongVideos:
    """What a release offers.

    Attributes:
        videos: Its videos in the published order, in which fractions of the data are taken.
        left_out: What it names and does not have, and what is damaged.
    """

    videos: list[LongVideo]
    left_out: list[LeftOut]

    def named_once(self) -> "LongVideos":
        """Without the videos whose name cannot name a file, or is that of one before."""
        videos: dict[str, LongVideo] = {}
        left_out = list(self.left_out)
        for video in self.videos:
            if video.id in videos:
                left_out.append(
                    LeftOut(video.id, video.split, "the release names it twice; the first one is used")
                )
            elif not is_usable(video.id):
                left_out.append(
                    LeftOut(video.id, video.split, "its name cannot be that of a file; rename it")
                )
            else:
                videos[video.id] = video
        return LongVideos(list(videos.values()), left_out)
