"""The pictures of one episode in a video that may hold those of many."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from vidrep_pipelines.common.arrays import Pixels
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.frame_store.episode import DamagedViewError
from vidrep_pipelines.data.sources.lerobot.entries import FilmPart
from vidrep_pipelines.data.video.container import open_video
from vidrep_pipelines.data.video.errors import UnindexableVideoError, UnreadableVideoError
from vidrep_pipelines.data.video.healthy_frames import HealthyFrames
from vidrep_pipelines.data.video.packet_index import PacketIndex
from vidrep_pipelines.data.video.packet_reader import PacketReader
from vidrep_pipelines.data.video.picture_converter import PictureConverter

_AT_ONCE = 32
"""Pictures that are decoded together. LeRobot writes a keyframe for every second one."""

_TOLERANCE = 0.75
"""Frames by which times may be off: sums of rounded durations drift, but a frame too many is another."""


def film_pictures(folder: Path, part: FilmPart, frames: int, rate: float) -> Iterator[Pixels]:
    """The pictures of an episode, (H, W, 3) in order, decoded while they are taken.

    A video that holds one episode is decoded from its beginning. Of others only the packets of the episode
    are read; the container's word is taken for their order and for where decoding can start.

    Args:
        folder: The data set.
        part: Where in which video the pictures are.
        frames: How many there are.
        rate: Frames per second.

    Raises:
        InputError: The video is missing or damaged from the start, or holds fewer or more pictures than the
            episode. While pictures are taken, ``DamagedViewError`` after the last one that is whole.
    """
    path = folder / part.path
    if not path.is_file():
        raise InputError(f"{path} is missing. Remedy: download all of the data set, or choose other cameras.")
    _require_span(path, part, frames, rate)
    try:
        index = PacketIndex.of_clip(path)
    except UnindexableVideoError:
        return _decoded(path, part.start, frames, rate)
    first = 0 if part.start is None else _rank_at(index, part.start, rate, path)
    left = index.frames - first
    if left < frames or (part.start is None and left > frames):
        raise InputError(
            f"{path} has {left} pictures{'' if part.start is None else f' from {part.start:.3f} s on'}, the "
            f"episode has {frames} rows. Remedy: download both again, or leave the episode out."
        )
    if first == 0:
        return _decoded(path, None, frames, rate)
    return _indexed(path, range(first, first + frames), index)


def _require_span(path: Path, part: FilmPart, frames: int, rate: float) -> None:
    if part.start is None or part.end is None:
        return
    span = (part.end - part.start) * rate
    if abs(span - frames) > _TOLERANCE:
        raise InputError(
            f"{path}: the episode goes from {part.start:.3f} to {part.end:.3f} s, which is {span:.1f} "
            f"pictures at {rate:g} a second, but has {frames} rows. Remedy: download meta again."
        )


def _rank_at(index: PacketIndex, start: float, rate: float, path: Path) -> int:
    """The picture that is shown at a time."""
    distances = np.abs(index.seconds - start)
    rank = int(distances.argmin()) if len(distances) else 0
    if not len(distances) or distances[rank] * rate > _TOLERANCE:
        raise InputError(
            f"{path} has no picture at {start:.3f} s, where the episode begins. Remedy: download the video "
            "and the list of episodes again."
        )
    return rank


def _indexed(path: Path, ranks: Sequence[int], index: PacketIndex) -> Iterator[Pixels]:
    reader = PacketReader()
    for place in range(0, len(ranks), _AT_ONCE):
        wanted = ranks[place : place + _AT_ONCE]
        try:
            pictures = reader.read(path, wanted, index)
        except UnreadableVideoError as error:
            raise DamagedViewError(str(error)) from error
        for rank in wanted:
            yield np.ascontiguousarray(pictures.pop(rank))


def _decoded(path: Path, start: float | None, frames: int, rate: float) -> Iterator[Pixels]:
    """Decodes from the beginning, and leaves out what is shown before the start."""
    converter, count = PictureConverter(), 0
    begin = -np.inf if start is None else start - 0.5 / rate
    try:
        with open_video(path) as opened:
            healthy = HealthyFrames(opened)
            for frame in healthy:
                if start is not None and frame.time is not None and frame.time < begin:
                    continue
                if count == frames:
                    break
                yield converter.upright_rgb(frame, frame.rotation)
                count += 1
    except UnreadableVideoError as error:
        raise DamagedViewError(str(error)) from error
    if count < frames:
        reason = healthy.detail or "there are no more"
        raise DamagedViewError(f"{path}: {count} of {frames} pictures can be used: {reason}")
