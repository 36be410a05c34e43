"""FineGym: annotation of long gymnastics videos, and labels of the events cut out of them.

Source: Shao et al., "FineGym: A Hierarchical Video Dataset for Fine-grained Action Understanding"
(arXiv 2004.06704); labels per frame as in CARL (arXiv 2203.14957).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.frame_store.video_episode import VideoEpisode
from vidrep_pipelines.data.sources.long_videos.video import UNLABELLED, Labels, LeftOut, LongVideo

ADDITIONAL = "additional"
"""Split of the events without any labelled element."""

LISTS = {"train": "gym{classes}_train_element_v1.0.txt", "validation": "gym{classes}_val_element.txt"}
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
        segments: For each element's name the start and end of its last stage, in seconds from the start of
            the event, in the order of the annotation.
    """

    name: str
    video: str
    start: float
    end: float
    kind: int
    segments: tuple[tuple[str, float, float], ...]

    def elements(self, labels: Mapping[str, int]) -> tuple[Element, ...]:
        """The stretches that a list has labels for, in the order of the annotation."""
        return tuple(
            Element(start, end, labels[f"{self.name}_{name}"])
            for name, start, end in self.segments
            if f"{self.name}_{name}" in labels
        )


def read_annotation(path: Path) -> dict[str, Event]:
    """All events of the annotation (version 1.0 or 1.1) by name, sorted.

    Raises:
        InputError: The file is missing or has another layout.
    """
    content = _read_json(path)
    events: dict[str, Event] = {}
    name = "(any)"
    try:
        for video, described in content.items():
            for name, event in described.items():
                events[f"{video}_{name}"] = _event(video, name, event)
    except (AttributeError, KeyError, TypeError, ValueError, IndexError) as error:
        raise InputError(
            f"{path}: event {name!r} of video {video!r} is not described as expected ({error!r}). {_REMEDY}"
        ) from error
    return dict(sorted(events.items()))


def read_elements(path: Path, classes: int) -> dict[str, int]:
    """The class of every element that a list names: ``<video>_E_a_b_A_c_d <class>``.

    Raises:
        InputError: The list is missing, a line cannot be read, or a class is unknown.
    """
    labels = {}
    for number, line in enumerate(_read_text(path).splitlines(), start=1):
        words = line.split()
        if not words:
            continue
        if len(words) != 2 or not words[1].isdigit() or event_of(words[0]) is None:
            raise InputError(f"{path}, line {number}: {line!r} is no <video>_E_a_b_A_c_d <class>. {_REMEDY}")
        if int(words[1]) >= classes:
            raise InputError(
                f"{path}, line {number}: there is no class {words[1]} among {classes}. Remedy: use the lists "
                f"of gym{classes}, or set finegym.classes to that of the lists."
            )
        labels[words[0]] = int(words[1])
    return labels


def event_of(element: str) -> str | None:
    """Name of the event that an element is part of; none if the name is not one of an element."""
    event, mark, _ = element.rpartition(_ELEMENT_MARK)
    return event if mark and _EVENT_MARK in event else None


def events_of_splits(
    events: Mapping[str, Event], lists: Mapping[str, Mapping[str, int]], additional: bool
) -> tuple[list[tuple[str, Event]], list[LeftOut]]:
    """The events of each split, sorted by name, and those that the annotation lacks.

    Args:
        events: The annotation.
        lists: For every split its elements.
        additional: Adds the events without any listed element as a split of their own.
    """
    chosen, left_out, listed = [], [], set[str]()
    for split, labels in lists.items():
        names = sorted({event for element in labels if (event := event_of(element)) is not None})
        listed.update(names)
        chosen += [(split, events[name]) for name in names if name in events]
        left_out += [
            LeftOut(
                f"{split}/{name}", split, "an element list names it, but the annotation does not. " + _REMEDY
            )
            for name in names
            if name not in events
        ]
    if additional:
        chosen += [(ADDITIONAL, event) for name, event in events.items() if name not in listed]
    return chosen, left_out


def label_frames(elements: tuple[Element, ...], frames_per_second: int, frames: int) -> Labels:
    """(T,) class of every frame, ``UNLABELLED`` outside of the elements; later elements win.

    Args:
        elements: In the order of the annotation.
        frames_per_second: Whole rate of the event's video.
        frames: T; what elements have beyond is cut off.
    """
    labels = np.full(frames, UNLABELLED, np.int64)
    for element in elements:
        first, last = int(element.start * frames_per_second), int(element.end * frames_per_second)
        labels[first : last + 1] = element.label
    return labels


def finegym_videos(
    chosen: list[tuple[str, Event]],
    lists: Mapping[str, Mapping[str, int]],
    cuts: Mapping[str, tuple[Path, str]],
    classes: int,
    frames_per_second: int,
) -> list[LongVideo]:
    """The events that were cut out, sorted by name within each split.

    Args:
        chosen: Splits and events.
        lists: For every split its elements.
        cuts: The file of every event that was cut out, and what tells its versions apart.
        classes: Number of classes.
        frames_per_second: Of the files.
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
        for split, event in chosen
        if event.name in cuts
    ]


def lists_of(root: Path, classes: int) -> dict[str, dict[str, int]]:
    """For every split the classes of its elements.

    Raises:
        InputError: A list is missing or wrong.
    """
    return {
        split: read_elements(root / name.format(classes=classes), classes) for split, name in LISTS.items()
    }


def _labels(elements: tuple[Element, ...], frames_per_second: int, frames: int) -> Labels:
    labels = label_frames(elements, frames_per_second, frames)
    if elements and (labels == UNLABELLED).all():
        start = min(element.start for element in elements)
        raise InputError(
            f"its first labelled element starts at {start} s, but it has only {frames} frames at "
            f"{frames_per_second} per second. Remedy: replace the raw video by a complete one."
        )
    return labels


def _event(video: str, name: str, described: Mapping[str, Any]) -> Event:
    start, end = described["timestamps"][0]
    segments = described.get("segments") or {}
    last_stages = tuple(
        (element, *(float(time) for time in segment["timestamps"][-1]))
        for element, segment in segments.items()
    )
    return Event(f"{video}_{name}", video, float(start), float(end), int(described["event"]), last_stages)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(_read_text(path))
    except ValueError as error:
        raise InputError(f"{path} is no JSON file ({error}). {_REMEDY}") from error
    if not isinstance(content, dict) or not content:
        raise InputError(f"{path} holds no videos. {_REMEDY}")
    return content


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read ({error}). {_REMEDY}") from error
