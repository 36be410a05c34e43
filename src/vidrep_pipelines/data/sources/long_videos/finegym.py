"""FineGym: annotation of long gymnastics videos, and labels of the events cut out of them.

Source: Shao et al., "FineGym: A Hierarchical Video Dataset for Fine-grained Action Understanding"
(arXiv 2004.06704); labels per frame as in CARL (arXiv 2203.14957).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.common.foreign_number import seconds, whole_number
from vidrep_pipelines.common.foreign_text import read_foreign_json, read_foreign_lines
from vidrep_pipelines.data.frame_store.video_episode import VideoEpisode
from vidrep_pipelines.data.sources.long_videos.config import FineGymConfig
from vidrep_pipelines.data.sources.long_videos.video import UNLABELLED, Labels, LeftOut, LongVideo

ADDITIONAL = "additional"
"""Split of the events without any labelled element."""

ANNOTATIONS = tuple(f"finegym_annotation_info_v{version}.json" for version in ("1.0", "1.1"))
LISTS = MappingProxyType(
    {
        split: tuple(f"gym{{classes}}_{published}_element{version}.txt" for version in versions)
        for split, published, versions in (
            ("train", "train", ("_v1.0", "_v1.1", "")),
            ("validation", "val", ("", "_v1.0", "_v1.1")),
        )
    }
)
"""Names of the element lists of each split, as version 1.0 and 1.1 have them."""
_EVENT_MARK, _ELEMENT_MARK = "_E_", "_A_"
_REMEDY = "Download it from the FineGym page to finegym.root."


@dataclass(frozen=True)
class Element:
    """A labelled stretch of an event.

    Attributes:
        start: Seconds from the start of the event.
        end: Seconds from the start of the event.
        label: Its class.
    """

    start: float
    end: float
    label: int


@dataclass(frozen=True)
class Event:
    """A routine in a long video.

    Attributes:
        name: ``<video>_E_<start>_<end>``.
        video: The YouTube identifier.
        start: Seconds.
        end: Seconds.
        kind: Number of the apparatus or event.
        segments: Start and end of each element's last stage by its name, in seconds from the start of
            the event, in the order of the annotation.
        problem: Why it cannot be used; empty if it can.
    """

    name: str
    video: str
    start: float
    end: float
    kind: int
    segments: tuple[tuple[str, float, float], ...]
    problem: str = ""

    def elements(self, labels: Mapping[str, int]) -> tuple[Element, ...]:
        """The stretches that a list has labels for, in the order of the annotation."""
        return tuple(
            Element(start, end, labels[f"{self.name}_{name}"])
            for name, start, end in self.segments
            if f"{self.name}_{name}" in labels
        )


def read_annotation(path: Path) -> dict[str, Event]:
    """All events of the annotation (version 1.0 or 1.1) by name, sorted.

    An event whose times or kind make no sense has a ``problem``.

    Raises:
        InputError: The file is missing, or has another layout.
    """
    content = read_foreign_json(path, _REMEDY)
    if not isinstance(content, dict) or not content:
        raise InputError(f"{path} holds no videos. {_REMEDY}")
    events: dict[str, Event] = {}
    for video, described in content.items():
        for name, event in (described if isinstance(described, dict) else {"": described}).items():
            events[f"{video}_{name}"] = _event(video, name, event)
    if all(event.problem for event in events.values()):
        first = next(iter(events.values()), None)
        raise InputError(f"{path}: {first.problem if first else 'it holds no events'}. {_REMEDY}")
    return dict(sorted(events.items()))


def read_elements(path: Path, classes: int) -> dict[str, int]:
    """The class of every element that a list names: ``<video>_E_a_b_A_c_d <class>``.

    Raises:
        InputError: The list is missing, a line cannot be read, or a class is unknown.
    """
    labels = {}
    for number, line in read_foreign_lines(path, _REMEDY):
        words = line.split()
        try:
            label = whole_number(words[-1], "the class")
        except InputError:
            label = -1
        if len(words) != 2 or label < 0 or event_of(words[0]) is None:
            raise InputError(f"{path}, line {number}: {line!r} is no <video>_E_a_b_A_c_d <class>. {_REMEDY}")
        if label >= classes:
            raise InputError(
                f"{path}, line {number}: there is no class {words[1]} among {classes}. Remedy: use the lists "
                f"of gym{classes}, or set finegym.classes to that of the lists."
            )
        labels[words[0]] = label
    return labels


def event_of(element: str) -> str | None:
    """Name of the event that an element is part of; none if the name is not one of an element."""
    event, mark, _ = element.rpartition(_ELEMENT_MARK)
    return event if mark and _EVENT_MARK in event else None


def events_of_splits(
    events: Mapping[str, Event], lists: Mapping[str, Mapping[str, int]], additional: bool
) -> tuple[list[tuple[str, Event]], list[LeftOut]]:
    """The events of each split, sorted by name, and those that the annotation lacks or describes wrongly.

    Args:
        events: The annotation.
        lists: The classes of each split's elements by their names.
        additional: Adds the events without any listed element as a split of their own.
    """
    members, left_out, listed = [], [], set[str]()
    for split, labels in lists.items():
        names = sorted({event for element in labels if (event := event_of(element)) is not None})
        listed.update(names)
        members += [(split, events[name]) for name in names if name in events]
        left_out += [
            LeftOut(
                f"{split}/{name}", split, "an element list names it, but the annotation does not. " + _REMEDY
            )
            for name in names
            if name not in events
        ]
    if additional:
        members += [(ADDITIONAL, event) for name, event in events.items() if name not in listed]
    left_out += [
        LeftOut(f"{split}/{event.name}", split, f"{event.problem}. Correct the annotation.")
        for split, event in members
        if event.problem
    ]
    return [(split, event) for split, event in members if not event.problem], left_out


def label_frames(elements: tuple[Element, ...], frames_per_second: int, frames: int) -> Labels:
    """(T,) class of every frame, ``UNLABELLED`` outside of the elements; later elements win.

    Args:
        elements: The event's elements, in the order of the annotation.
        frames_per_second: Whole rate of the event's video.
        frames: T; what elements have beyond is cut off.
    """
    labels = np.full(frames, UNLABELLED, np.int64)
    for element in elements:
        first, last = int(element.start * frames_per_second), int(element.end * frames_per_second)
        labels[first : last + 1] = element.label
    return labels


def finegym_videos(
    members: list[tuple[str, Event]],
    lists: Mapping[str, Mapping[str, int]],
    cuts: Mapping[str, tuple[Path, str]],
    classes: int,
    frames_per_second: int,
) -> list[LongVideo]:
    """The events that were cut out, sorted by name within each split.

    Args:
        members: Splits and events.
        lists: The classes of each split's elements by their names.
        cuts: The file of every event that was cut out, and what tells its versions apart.
        classes: Number of classes.
        frames_per_second: Frame rate of the files.
    """
    return [
        LongVideo(
            VideoEpisode(
                f"{split}/{event.name}", cuts[event.name][0], str(event.kind), stamp=cuts[event.name][1]
            ),
            split,
            partial(_labels, event.elements(lists.get(split, {})), frames_per_second),
            classes,
            phases=False,
            action=str(event.kind),
            action_label=event.kind,
        )
        for split, event in members
        if event.name in cuts
    ]


def lists_of(root: Path, classes: int) -> dict[str, dict[str, int]]:
    """The classes of each split's elements by their names.

    Raises:
        InputError: A list is missing or wrong.
    """
    return {
        split: read_elements(first_there(root, [name.format(classes=classes) for name in names]), classes)
        for split, names in LISTS.items()
    }


def release_events(root: Path, config: FineGymConfig) -> tuple[list[tuple[str, Event]], list[LeftOut]]:
    """Splits and events of a release, and the events that are left out, with reasons.

    Raises:
        InputError: The annotation or a list is missing or wrong.
    """
    names = ANNOTATIONS if config.annotation is None else (config.annotation,)
    events = read_annotation(first_there(root, names))
    return events_of_splits(events, lists_of(root, config.classes), config.additional)


def first_there(root: Path, names: Sequence[str]) -> Path:
    """The first of the names under which a file was published that is there.

    Raises:
        InputError: None is.
    """
    path = next((root / name for name in names if (root / name).is_file()), None)
    if path is None:
        others = ", nor ".join(["there is no such file", *names[1:]])
        raise InputError(f"{root / names[0]} cannot be read: {others}. {_REMEDY}")
    return path


def _labels(elements: tuple[Element, ...], frames_per_second: int, frames: int) -> Labels:
    labels = label_frames(elements, frames_per_second, frames)
    if elements and (labels == UNLABELLED).all():
        start = min(element.start for element in elements)
        raise InputError(
            f"its first labelled element starts at {start} s, but it has only {frames} frames at "
            f"{frames_per_second} per second. Remedy: replace the raw video by a complete one."
        )
    return labels


def _event(video: str, name: str, described: Any) -> Event:
    try:
        start, end = (seconds(time, "a time of the event") for time in described["timestamps"][0])
        kind = whole_number(described["event"], "its kind")
        segments = tuple(
            (element, *_last_stage(element, segment))
            for element, segment in (described.get("segments") or {}).items()
        )
    except (AttributeError, KeyError, TypeError, ValueError, IndexError, InputError) as error:
        reason = str(error) if isinstance(error, InputError) else repr(error)
        problem = f"event {name!r} of video {video!r} is not described as expected ({reason})"
        return Event(f"{video}_{name}", video, 0.0, 0.0, UNLABELLED, (), problem)
    return Event(f"{video}_{name}", video, start, end, kind, segments)


def _last_stage(element: str, segment: Any) -> tuple[float, float]:
    start, end = segment["timestamps"][-1]
    return seconds(start, f"the start of {element}"), seconds(end, f"the end of {element}")
