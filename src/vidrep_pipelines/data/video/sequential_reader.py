"""Frames by decoding from the start: slow, but the definition of what the other readers must return."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.data.video.container import open_video
from vidrep_pipelines.data.video.errors import UnreadableVideoError
from vidrep_pipelines.data.video.healthy_frames import HealthyFrames
from vidrep_pipelines.data.video.picture_converter import PictureConverter


def read_sequentially(path: Path, ranks: Sequence[int]) -> dict[int, NDArray[np.uint8]]:
    """Decodes up to the last wanted frame.

    Args:
        path: Any video.
        ranks: Ascending, not negative.

    Returns:
        (H, W, 3) per rank, upright.

    Raises:
        IndexError: The video is shorter.
        UnreadableVideoError: The video is damaged before the last wanted frame.
    """
    wanted, last = set(ranks), max(ranks)
    pictures: dict[int, NDArray[np.uint8]] = {}
    converter = PictureConverter()
    with open_video(path) as opened:
        frames = HealthyFrames(opened)
        for rank, frame in enumerate(frames):
            if rank in wanted:
                pictures[rank] = converter.upright_rgb(frame, frame.rotation)
            if rank == last:
                return pictures
    if frames.detail:
        raise UnreadableVideoError(f"{path}: {frames.detail}.")
    raise IndexError(f"{path} has {frames.count} frames, there is no frame {last}.")


def count_by_decoding(path: Path) -> int:
    """Number of frames that decode without damage.

    Raises:
        UnreadableVideoError: The file cannot be opened.
    """
    with open_video(path) as opened:
        frames = HealthyFrames(opened)
        for _ in frames:
            pass
        return frames.count
