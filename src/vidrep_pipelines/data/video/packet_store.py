"""The packet indices of a whole collection of clips in a few files, found by the clip's name.

The store is a folder of files ``00003-of-00016.h5`` (see :mod:`.packet_store_part`). Which of them a clip is
in follows from its name: a worker process that needs one clip among a hundred million opens one file and
reads no list.
"""

import logging
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.video.packet_index import PacketIndex
from vidrep_pipelines.data.video.packet_store_part import PacketStorePart, key_of

STORE_SUFFIX = ".h5"

_log = logging.getLogger(__name__)
_PART_NAME = re.compile(r"\d{5,}-of-(\d{5,})" + re.escape(STORE_SUFFIX))


def part_name(number: int, count: int) -> str:
    """Name of one of ``count`` parts, without ending."""
    return f"{number:05d}-of-{count:05d}"


def part_count(clips: int, clips_per_part: int) -> int:
    """Number of parts: a power of two, so that a growing collection seldom changes it."""
    return 1 << max(-(-clips // clips_per_part) - 1, 0).bit_length()


def split_into_parts(clips: Iterable[str], count: int) -> Mapping[str, list[str]]:
    """Names of the parts that are not empty, each with its clips in the given order."""
    parts: dict[str, list[str]] = {}
    for clip in clips:
        parts.setdefault(part_name(key_of(clip) % count, count), []).append(clip)
    return dict(sorted(parts.items()))


class PacketStore:
    """Finds packet indices by the names of clips. Opens nothing until asked; picklable, survives a fork.

    What it hands out may be out of date; :class:`~.decode.FrameReader` compares it with the video.

    Args:
        folder: Where the parts lie. Parts left over from a smaller or larger store are asked last.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        self._counts: list[int] | None = None
        self._parts: dict[str, PacketStorePart | None] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {"folder": self.folder}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]

    def find(self, clip: str) -> PacketIndex | None:
        """The packet index of a clip, or None if the store does not have it or is damaged there."""
        if self._counts is None:
            self._counts = self._present()
        for count in self._counts:
            part = self._part(part_name(key_of(clip) % count, count))
            index = None if part is None else part.find(clip)
            if index is not None:
                return index
        return None

    def _present(self) -> list[int]:
        matches = map(_PART_NAME.fullmatch, (path.name for path in self.folder.glob(f"*{STORE_SUFFIX}")))
        counts = sorted({int(match[1]) for match in matches if match}, reverse=True)
        if not counts:
            _log.warning("%s holds no packet store. Clips are indexed when they are read again.", self.folder)
        return counts

    def _part(self, name: str) -> PacketStorePart | None:
        if name not in self._parts:
            self._parts[name] = _opened(self.folder / f"{name}{STORE_SUFFIX}")
        return self._parts[name]


def _opened(path: Path) -> PacketStorePart | None:
    """The store saves time only: without a part, its clips are indexed when they are read again."""
    if not path.is_file():
        return None
    try:
        return PacketStorePart(path)
    except InputError as error:
        _log.warning("%s Its clips are indexed when they are read again.", error)
        return None
