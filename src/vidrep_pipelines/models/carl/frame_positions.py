"""The transformer's positions in time."""

from functools import lru_cache

import torch
from torch import Tensor

_BASE = 10000.0


@lru_cache(maxsize=64)
def frame_positions(frames: int, trained_frames: int, width: int) -> Tensor:
    """Sine in even channels, cosine in odd ones, of ``position / 10000 ** (channel / width)``.

    Positions are numbered from 0; those of a clip that is not as long as the training views are spread
    evenly over 0 .. ``trained_frames - 1``. The exponent of a cosine is its own channel's, as published, not
    that of the sine beside it.

    Args:
        frames: S, frames of the clip.
        trained_frames: T, frames of a training view.
        width: D.

    Returns:
        (S, D) float64 on the CPU; shared between calls, not to be changed.
    """
    position = _numbered(frames, trained_frames)
    channel = torch.arange(width)
    angle = position[:, None] / _BASE ** (channel.double() / width)
    return torch.where(channel % 2 == 0, angle.sin(), angle.cos())


@lru_cache(maxsize=64)
def frame_rotations(frames: int, trained_frames: int, width: int) -> Tensor:
    """Angles of rotary positions (Su et al., RoFormer, arXiv 2104.09864): ``position / T ** (2 i / width)``.

    Positions are numbered as in :func:`frame_positions`; the slowest pair turns once in about six views.

    Args:
        frames: S, frames of the clip.
        trained_frames: T, frames of a training view.
        width: Channels of an attention head, even.

    Returns:
        (S, width / 2) float64 on the CPU; shared between calls, not to be changed.
    """
    pair = torch.arange(0, width, 2).double()
    return _numbered(frames, trained_frames)[:, None] / trained_frames ** (pair / width)


def _numbered(frames: int, trained_frames: int) -> Tensor:
    """(S,) positions of the frames of a clip."""
    if frames == trained_frames:
        return torch.arange(frames, dtype=torch.float64)
    return torch.linspace(0, trained_frames - 1, frames, dtype=torch.float64)
