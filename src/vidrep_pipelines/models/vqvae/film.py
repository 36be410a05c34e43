"""Clips beside their reconstructions, to be played."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from vidrep_pipelines.models.vqvae.pictures import error_picture, to_pixels

_SCALE, _GAP = 3, 6


def comparison_film(pairs: Sequence[tuple[Tensor, Tensor]]) -> NDArray[np.uint8]:
    """Original, reconstruction and error side by side, clips below one another.

    Args:
        pairs: Clips (T, 3, H, W) of one length, nominally in 0..1, and their reconstructions.

    Returns:
        (T, H', W', 3): pixels enlarged, gaps white, sides even.
    """
    rows = [
        [to_pixels(frames) for frames in (first, second, error_picture(first, second))]
        for first, second in pairs
    ]
    return _with_gaps([_with_gaps([_enlarged(part) for part in row], axis=2) for row in rows], axis=1)


def _enlarged(frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return frames.repeat(_SCALE, axis=1).repeat(_SCALE, axis=2)


def _with_gaps(parts: list[NDArray[np.uint8]], axis: int) -> NDArray[np.uint8]:
    """Joins parts with white between them, and after the last one as much as makes the sum even."""
    length = sum(part.shape[axis] for part in parts) + _GAP * (len(parts) - 1)
    shape = list(parts[0].shape)
    joined: list[NDArray[np.uint8]] = []
    for number, part in enumerate(parts):
        shape[axis] = _GAP if number + 1 < len(parts) else length % 2
        joined += [part, np.full(shape, 255, np.uint8)]
    return np.concatenate(joined, axis=axis)
