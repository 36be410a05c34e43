"""How much a lossy encoding changes the pictures."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.video.container import open_video
from vidrep_pipelines.data.video.healthy_frames import HealthyFrames

IDENTICAL = 100.0
"""Decibels that stand for no difference at all."""


def luma(frame: Any) -> NDArray[np.uint8]:
    """The brightness plane of a decoded 8-bit YUV frame as (H, W); a view into the frame's memory."""
    plane = frame.planes[0]
    rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
    return rows[: frame.height, : frame.width]


def peak_signal_to_noise(references: Sequence[Any], path: Path) -> float:
    """PSNR of the luma plane, with one mean squared error over all frames of the clip.

    Args:
        references: The frames before encoding, 8-bit YUV, as PyAV decodes them.
        path: The encoded clip.

    Returns:
        Decibels, at most :data:`IDENTICAL`.

    Raises:
        InputError: The clip does not hold as many frames as there are references.
    """
    squared, pixels, count = 0.0, 0, 0
    with open_video(path) as opened:
        for count, (reference, frame) in enumerate(zip(references, HealthyFrames(opened), strict=False), 1):  # noqa: B007
            difference = luma(reference).astype(np.int32) - luma(frame)
            squared += float(np.square(difference).sum())
            pixels += difference.size
    if count != len(references):
        raise InputError(f"{path} holds {count} frames, {len(references)} were encoded.")
    if squared == 0:
        return IDENTICAL
    return min(IDENTICAL, 10 * math.log10(255**2 * pixels / squared))
