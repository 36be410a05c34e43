"""Cuts an event out of a long video: exact start and end, new size and rate, in one pass.

Copying packets instead, as in the published preparation, starts at the keyframe before the event, so that all
labels come too early for the frames.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from vidrep_pipelines.common.digest import digest_of
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.files.foreign_listing import files_by_stem, size_and_time
from vidrep_pipelines.data.sources.long_videos.config import FineGymConfig
from vidrep_pipelines.data.sources.long_videos.finegym import Event
from vidrep_pipelines.data.sources.long_videos.video import LeftOut
from vidrep_pipelines.data.video.container import DECODE_ERRORS, OpenedVideo, open_video
from vidrep_pipelines.data.video.probe import quarter_turns
from vidrep_pipelines.data.video.profiles import PROFILES
from vidrep_pipelines.data.video.writer import VideoWriter

RAW_SUFFIXES = (".mp4", ".mkv", ".webm")
_CUT = 1
"""Version of what equal parameters lead to: raised when the written pictures change."""


@dataclass(frozen=True)
class CutRequest:
    """What cutting out one event needs.

    Attributes:
        event: The event.
        path: The long video.
        config: Size, rate and encoding of what is written.
    """

    event: Event
    path: Path
    config: FineGymConfig

    @property
    def digest(self) -> str:
        """Changes with all that the written file depends on; not with labels, nor with where files are."""
        config = self.config
        file = (self.path.name, *size_and_time(self.path))
        form = (config.event_width, config.event_height, config.event_frames_per_second)
        return digest_of(_CUT, self.event.start, self.event.end, file, form, config.event_profile)


def cut_requests(
    members: list[tuple[str, Event]], folder: Path, config: FineGymConfig
) -> tuple[list[CutRequest], list[LeftOut]]:
    """What can be cut out, each event once, and which events lack their video.

    Downloaders put a second suffix behind the first, as in ``id.mp4.webm``.
    """
    requests, left_out = {}, []
    files = files_by_stem(folder, RAW_SUFFIXES)
    for split, event in members:
        path = files.get(event.video)
        if path is None:
            names = "|".join(RAW_SUFFIXES)
            reason = (
                f"the video {event.video} is missing: there is no {folder / event.video}{names}. Download it."
            )
            left_out.append(LeftOut(f"{split}/{event.name}", split, reason))
        else:
            requests[event.name] = CutRequest(event, path, config)
    return [requests[name] for name in sorted(requests)], left_out


def cut_event(request: CutRequest, outputs: Mapping[str, Path]) -> dict[str, str | int | float]:
    """Writes an event as a video of its own.

    Source frames belong to the nearest multiple of 1 / rate seconds after the start. Of several at one place
    the last is taken, and at a place without any the one before is repeated, as FFmpeg's filter ``fps`` does.

    Args:
        request: The event.
        outputs: Where the video (".mp4") goes.

    Returns:
        One row: frames, frames_per_second, missing_seconds (what the long video lacks at the end).

    Raises:
        InputError: The event lies beyond the end of the video, or ends before it starts.
        UnreadableVideoError: The video is damaged where the event begins.
    """
    event, config = request.event, request.config
    if event.end <= event.start:
        raise InputError(f"{event.name} lasts from {event.start} s to {event.end} s. Correct the annotation.")
    rate = Fraction(config.event_frames_per_second)
    wanted = max(round((event.end - event.start) * rate), 1)
    with open_video(request.path) as opened:
        frames = _constant_rate(_frames_from(opened, event.start), rate, wanted)
        first = next(frames, None)
        if first is None:
            raise InputError(
                f"{request.path} ends before {event.start} s, where {event.name} starts. Remedy: download "
                "the video again."
            )
        size, profile = (config.event_width, config.event_height), PROFILES[config.event_profile]
        turns = quarter_turns(first.rotation)
        with VideoWriter(outputs[".mp4"], *size, rate, profile, turns) as writer:
            writer.write(first)
            for frame in frames:
                writer.write(frame)
    return {
        "frames": writer.count,
        "frames_per_second": float(rate),
        "missing_seconds": float((wanted - writer.count) / rate),
    }


def _frames_from(opened: OpenedVideo, start: float) -> Iterator[tuple[float, Any]]:
    """Frames from ``start`` seconds on, with their times after it; ends at damage."""
    begin = float(opened.container.start_time or 0) / 1e6
    # Half a millisecond: time stamps are rounded to those of the container.
    earliest = begin + start - 5e-4
    opened.container.seek(int(earliest / opened.stream.time_base), stream=opened.stream)
    frames = opened.container.decode(opened.stream)
    try:
        first = next(frames, None)
        if first is None or first.time is None or first.time > earliest + 1e-3:
            # Without an index, seeking may land too late.
            opened.container.seek(0, stream=opened.stream)
            frames, first = opened.container.decode(opened.stream), None
        if first is not None and first.time >= earliest:
            yield first.time - begin - start, first
        for frame in frames:
            if frame.time is None or frame.time < earliest:
                continue
            if frame.is_corrupt:
                return
            yield frame.time - begin - start, frame
    except DECODE_ERRORS:
        return


def _constant_rate(timed: Iterator[tuple[float, Any]], rate: Fraction, count: int) -> Iterator[Any]:
    """At most ``count`` frames at a constant rate, repeated or left out as their times require."""
    shown, given, place = None, 0, 0
    for seconds, frame in timed:
        place = int(seconds * rate + Fraction(1, 2))
        while shown is not None and given < min(place, count):
            yield shown
            given += 1
        if given >= count:
            return
        shown = frame
    while shown is not None and given < min(place + 1, count):
        yield shown
        given += 1
