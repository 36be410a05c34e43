"""The sample world in place of a release: clips of the same activities at different speeds."""

from collections import defaultdict
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Literal

import h5py
import numpy as np

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.frame_store.video_episode import VideoEpisode
from vidrep_pipelines.data.hdf5 import open_hdf5
from vidrep_pipelines.data.sources.long_videos.video import Labels, LongVideo, LongVideos

RenderedClip = tuple[str, Path, Path, str]
"""Id such as ``pour/pour_003``, video, truth file, and the digest of what made them."""

Labelling = Literal["phases", "elements"]


def rendered_videos(
    clips: Sequence[RenderedClip], validation: float, labelling: Labelling, test: float = 0.0
) -> LongVideos:
    """The clips of every activity, the last of them held out.

    Args:
        clips: The clips in any order.
        validation: Share of each activity's clips that is held out; at least one is, and one is not.
        labelling: ``phases`` of the activity, or ``elements``: the phases of all activities are numbered
            through, as classes of their own.
        test: Share of each activity's clips, the very last ones, that make up the split ``test``, for what is
            read once, after everything has been chosen. 0: there is no such split.

    Raises:
        InputError: An activity has too few clips for a split of them, or a truth file cannot be read.
    """
    groups: dict[str, list[RenderedClip]] = defaultdict(list)
    for clip in sorted(clips):
        groups[clip[0].split("/", maxsplit=1)[0]].append(clip)
    counts = [_phases(members[0][2]) for members in groups.values()]
    first = np.cumsum([0, *counts]).tolist()
    videos = []
    for number, (activity, members) in enumerate(groups.items()):
        if len(members) < 2:
            raise InputError(
                f"The sample world has a single clip of {activity!r}, where one is for training and one is "
                "held out. Remedy: more clips or fewer activities in the parameter world."
            )
        splits = _splits(activity, len(members), validation, test)
        for split, (name, video, truth, stamp) in zip(splits, members, strict=True):
            episode = VideoEpisode(f"{split}/{Path(name).name}", video, activity, stamp=stamp)
            offset, classes = (first[number], first[-1]) if labelling == "elements" else (0, counts[number])
            labels = partial(_labels, truth, offset)
            videos.append(LongVideo(episode, split, labels, classes, labelling == "phases", activity, number))
    return LongVideos(sorted(videos, key=lambda video: (video.split, video.id)), [])


def _splits(activity: str, clips: int, validation: float, test: float) -> list[str]:
    """The split of each of an activity's clips."""
    tested = max(round(test * clips), 1) if test > 0 else 0
    if clips - tested < 2:
        raise InputError(
            f"The sample world has {clips} clips of {activity!r}, too few for the splits train, validation "
            "and test. Remedy: more clips or fewer activities in the parameter world, or world_test: 0."
        )
    held_out = min(max(round(validation * clips), 1), clips - tested - 1)
    return ["train"] * (clips - held_out - tested) + ["validation"] * held_out + ["test"] * tested


def _phases(truth: Path) -> int:
    with _opened(truth) as file:
        return len(file.attrs["phase_names"])


def _labels(truth: Path, offset: int, frames: int) -> Labels:
    """The phase of every frame; only this array of the truth is read."""
    del frames
    with _opened(truth) as file:
        phases: Labels = file["phases"][:].astype(np.int64)
    return np.where(phases < 0, phases, phases + offset)


def _opened(truth: Path) -> h5py.File:
    try:
        return open_hdf5(truth)
    except OSError as error:
        raise InputError(
            f"{truth} is no truth file of the sample world ({error}); render it again."
        ) from error
