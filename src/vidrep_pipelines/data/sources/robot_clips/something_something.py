"""Something-Something v2 as published: WebM files in one folder, and lists of labels per split.

Source: Goyal et al., "The something something video database" (arXiv 1706.04261). A list holds objects with
``id`` (the video's name), ``label`` ("pushing a cup from left to right"), ``template`` ("Pushing [something]
from left to right") and ``placeholders``. That of the test split has ids only, so none of its videos has an
instruction, and it is not read.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from vidrep_pipelines.common.digest import digest_of
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.common.foreign_text import read_foreign_json
from vidrep_pipelines.common.item_id import is_usable
from vidrep_pipelines.data.files.foreign_listing import files_by_stem, folder_among
from vidrep_pipelines.data.frame_store.episode import (
    Episode,
    EpisodeAnnotations,
    EpisodeView,
    Segment,
    without_controls,
)
from vidrep_pipelines.data.sources.robot_clips.clip import (
    TRAIN,
    VALIDATION,
    instruction_segments,
    packets_in,
    stamp_of,
    video_claims,
    video_view,
)

LISTS = MappingProxyType(
    {
        TRAIN: ("labels/train.json", "something-something-v2-train.json"),
        VALIDATION: ("labels/validation.json", "something-something-v2-validation.json"),
    }
)
"""Where the list of a split is: the first form is that of the present release, the second that of 2018."""

VIDEO_FOLDERS = ("20bn-something-something-v2", "videos")

_READING = 1
_SUFFIXES = (".webm", ".mp4")
_REMEDY = "Remedy: download the labels again."

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SomethingEpisode:
    """One video.

    Attributes:
        trajectory: ``<data set>/<split>/<id>``.
        path: The file.
        text: What is done in it: its label, with the objects' names.
        template: The same with ``[something]`` for each object; the class of the video.
        robot: Name of the data set.
        split: ``train`` or ``validation``.
        stamp: Tells versions of the file apart.
    """

    trajectory: str
    path: Path
    text: str
    template: str = ""
    robot: str = "sthv2"
    split: str | None = None
    stamp: str = ""

    @property
    def digest(self) -> str:
        """Changes with stamp and label; the path does not count, so that a folder may be moved."""
        return digest_of(_READING, self.stamp, self.robot, self.text, self.template)

    @contextmanager
    def open(self) -> Iterator[Episode]:
        """Opens the video; frames are decoded while the pictures are taken.

        Raises:
            InputError: The video is missing or damaged, or has no label.
        """
        if not self.path.is_file():
            raise InputError(f"{self.path} is missing. Remedy: unpack the archive again, or leave it out.")
        claimed, rate = video_claims(self.path)
        frames = claimed or packets_in(self.path)
        if not frames:
            raise InputError(f"{self.path}: there is not one frame in it. Remedy: leave it out.")
        (segment,) = instruction_segments(self.text, frames, str(self.path))
        segments = [Segment(0, frames, segment.text, self.template or None)]
        annotations = EpisodeAnnotations(segments=tuple(segments), frames_per_second=rate)
        # Their lengths are not published, so there is nothing to compare the decoded frames with.
        view = EpisodeView(0, frames, video_view(self.path, 0, 0).pictures)
        yield Episode(self.robot, [view], *without_controls(), annotations=annotations)


def list_something_something(folder: Path, name: str | None = None) -> list[SomethingEpisode]:
    """All videos of the train and validation lists that are there; in the order of the lists.

    Args:
        folder: Folder that holds the folders of labels and of videos.
        name: Name of the data set; None: ``sthv2``, as in the mixtures of Video Prediction Policy.

    Raises:
        InputError: There is neither list, a list cannot be read, or not one of its videos is there.
    """
    lists = {split: path for split in LISTS if (path := _list_file(folder, split)) is not None}
    if not lists:
        wanted = ", ".join(path for paths in LISTS.values() for path in paths)
        raise InputError(
            f"{folder} has no list of labels (looked for {wanted}). Remedy: unpack the archive of labels "
            "there, or name the folder that holds it."
        )
    videos = folder_among(folder, VIDEO_FOLDERS)
    files = files_by_stem(videos, _SUFFIXES)
    label = name or "sthv2"
    listed = [(split, entry) for split, path in lists.items() for entry in _entries(path)]
    episodes: dict[str, SomethingEpisode] = {}
    for split, entry in listed:
        path = files.get(entry.identifier)
        if path is not None and is_usable(entry.identifier):
            episode = _episode(entry, path, label, split)
            episodes.setdefault(episode.trajectory, episode)
    if not episodes:
        raise InputError(
            f"None of the {len(listed)} videos that {folder} lists is in {videos}. Remedy: unpack the "
            f"archives of videos into one of the folders {', '.join(VIDEO_FOLDERS)}."
        )
    if len(episodes) < len(listed):
        missing = len(listed) - len(episodes)
        _log.warning(
            "%s: %d of %d listed videos are left out: missing, or listed twice.", videos, missing, len(listed)
        )
    return list(episodes.values())


class _Entry(NamedTuple):
    """One object of a list."""

    identifier: str
    label: str
    template: str


def _list_file(folder: Path, split: str) -> Path | None:
    return next((folder / name for name in LISTS[split] if (folder / name).is_file()), None)


def _entries(path: Path) -> list[_Entry]:
    """Entries that name a video; one without a label is kept, and told when it is opened."""
    content = read_foreign_json(path, _REMEDY)
    if not isinstance(content, list):
        raise InputError(f"{path} is no list of labels. {_REMEDY}")
    entries = [
        _Entry(str(one["id"]), _text(one.get("label")), _text(one.get("template")))
        for one in content
        if isinstance(one, dict) and isinstance(one.get("id"), str | int)
    ]
    if len(entries) < len(content):
        _log.warning("%s: %d entries name no video; left out.", path, len(content) - len(entries))
    return entries


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _episode(entry: _Entry, path: Path, label: str, split: str) -> SomethingEpisode:
    return SomethingEpisode(
        trajectory=f"{label}/{split}/{entry.identifier}",
        path=path,
        text=entry.label,
        template=entry.template,
        robot=label,
        split=split,
        stamp=stamp_of([path]),
    )
