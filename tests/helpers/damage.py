"""Damaged copies of videos, as faulty disks and interrupted transfers leave them; seeded."""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from tests.helpers.videos import box, write_video

Damage = Literal["flip", "cut", "gap"]
Place = Literal["header", "pictures", "tail", "anywhere"]

DAMAGES: tuple[Damage, ...] = ("flip", "cut", "gap")
PLACES: tuple[Place, ...] = ("header", "pictures", "tail", "anywhere")

_HEADER_SHARE, _TAIL_SHARE = 0.05, 0.9
_MOST_FLIPS, _LONGEST_GAP = 24, 512


def write_originals(folder: Path, frames: int = 24) -> list[Path]:
    """Healthy clips of 64 x 48 pixels in the containers and codecs that data sets come in."""
    written = [
        write_video(folder / "header behind.mp4", frames, 64, 48, audio=True),
        write_video(folder / "header in front.mp4", frames, 64, 48, faststart=True, seed=1),
        write_video(folder / "short groups.mp4", frames, 64, 48, options={"g": "6", "bf": "0"}, seed=2),
        write_video(folder / "matroska.mkv", frames, 64, 48, options={"g": "8"}, seed=3),
        write_video(folder / "vp9.webm", frames, 64, 48, codec="libvpx-vp9", seed=4),
        write_video(folder / "mpeg4.avi", frames, 64, 48, codec="mpeg4", seed=5),
        write_video(folder / "broadcast.ts", frames, 64, 48, options={"g": "8"}, seed=6),
        write_video(folder / "hevc.mov", frames, 64, 48, codec="libx265", seed=7),
    ]
    return written


def write_damaged(folder: Path, originals: Sequence[Path], count: int, seed: int = 0) -> list[Path]:
    """Writes ``count`` damaged files, every damage at every place of every original in turn.

    The name says what was done: ``0017 flip header of matroska.mkv``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    combinations = [(d, p, original) for d in DAMAGES for p in PLACES for original in originals]
    random.Random(seed).shuffle(combinations)
    written = []
    for number in range(count):
        damage, place, original = combinations[number % len(combinations)]
        path = folder / f"{number:04d} {damage} {place} of {original.name}"
        path.write_bytes(damaged(original.read_bytes(), damage, place, random.Random(f"{seed} {number}")))
        written.append(path)
    return written


def damaged(data: bytes, damage: Damage, place: Place, rng: random.Random) -> bytes:
    """The bytes of a video with one damage whose position lies in the named part of it.

    Args:
        data: A whole file.
        damage: ``"flip"`` turns single bits over, ``"cut"`` ends the file early, ``"gap"`` takes bytes out.
        place: ``"header"`` and ``"pictures"`` are the boxes ``moov`` and ``mdat`` of MP4 and MOV files, and
            the first and the middle part of others; ``"tail"`` is the last tenth.
        rng: Draws positions.
    """
    start, end = part_of(data, place)
    if damage == "cut":
        return data[: rng.randrange(start, end)]
    if damage == "gap":
        position = rng.randrange(start, end)
        return data[:position] + data[position + rng.randint(1, _LONGEST_GAP) :]
    changed = bytearray(data)
    for _ in range(rng.randint(1, _MOST_FLIPS)):
        changed[rng.randrange(start, end)] ^= 1 << rng.randrange(8)
    return bytes(changed)


def part_of(data: bytes, place: Place) -> tuple[int, int]:
    """First byte and end of a part of a video file."""
    size = len(data)
    if place == "anywhere":
        return 0, size
    if place == "tail":
        return int(size * _TAIL_SHARE), size
    if data[4:8] == b"ftyp":
        return box(data, b"moov" if place == "header" else b"mdat")
    header_end = max(64, int(size * _HEADER_SHARE))
    return (0, header_end) if place == "header" else (header_end, int(size * _TAIL_SHARE))
