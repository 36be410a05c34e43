"""Lengths that Matroska files give as text beside a stream, for want of a place in its header."""

import re
from typing import Any

_FRAMES, _DURATION = "NUMBER_OF_FRAMES", "DURATION"
_CLOCK = re.compile(r"(\d{1,6}):(\d\d):(\d\d(?:\.\d{1,12})?)", re.ASCII)
_COUNT = re.compile(r"\d{1,12}", re.ASCII)


def tagged_frames(stream: Any) -> int:
    """Number of frames; 0 if there is no such tag."""
    match = _COUNT.fullmatch(stream.metadata.get(_FRAMES, ""))
    return int(match[0]) if match else 0


def tagged_seconds(stream: Any) -> float:
    """Duration, written like ``00:01:02.5``; 0 if there is no such tag."""
    match = _CLOCK.fullmatch(stream.metadata.get(_DURATION, ""))
    if match is None:
        return 0.0
    hours, minutes, seconds = match.groups()
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
