"""Random access the usual way: open the file, seek to the keyframe before a frame, decode up to the frame."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.data.video.container import OpenedVideo, open_video
from vidrep_pipelines.data.video.errors import UnreadableVideoError
from vidrep_pipelines.data.video.picture_converter import PictureConverter


def read_by_seeking(path: Path, ranks: Sequence[int]) -> NDArray[np.uint8]:
    """Reads frames of an MP4 clip whose frames are evenly spaced from time 0 on, as this project writes them.

    From one frame to the next, decoding goes on unless there is a keyframe between them to jump to.

    Args:
        path: The clip.
        ranks: Frame numbers in ascending order, without repetition.

    Returns:
        (N, H, W, 3) uint8 RGB.

    Raises:
        UnreadableVideoError: A frame cannot be decoded, or there is no such frame.
    """
    converter = PictureConverter()
    with open_video(path) as opened:
        return np.stack([converter.upright_rgb(frame, 0) for frame in _frames(opened, ranks)])


def _frames(opened: OpenedVideo, ranks: Sequence[int]) -> Iterator[Any]:
    stream = opened.stream
    decoded: Iterator[Any] = iter(())
    position = -1
    for rank in ranks:
        time = round(rank / stream.average_rate / stream.time_base)
        if position < 0 or _last_keyframe(stream, time) > position:
            opened.container.seek(time, stream=stream)
            decoded = opened.container.decode(stream)
        frame = next((candidate for candidate in decoded if candidate.pts >= time), None)
        if frame is None:
            raise UnreadableVideoError(f"{opened.path}: there is no frame {rank}.")
        position = frame.pts
        yield frame


def _last_keyframe(stream: Any, time: int) -> int:
    """Time of the last keyframe up to ``time``, according to the header."""
    entries = stream.index_entries
    return int(entries[entries.search_timestamp(time)].timestamp)
