"""Which frames of an episode a prediction is compared with."""

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from vidrep_pipelines.common.config import FrozenConfig
from vidrep_pipelines.common.errors import InputError


class FrameRuleConfig(FrozenConfig):
    """From which frame on, and at which pace, an episode is predicted; the defaults are published."""

    start: int = Field(5, ge=0)
    """First frame, the one that is given to the model. With ``only_one_clip`` it does not count."""

    skip: int = Field(2, ge=1)
    """Frames from one to the next."""

    only_one_clip: bool = False
    """Spread the frames evenly over the whole episode instead."""


def prediction_frame_ids(length: int, frames: int, rule: FrameRuleConfig) -> NDArray[np.int64]:
    """The published rule: every ``skip``-th frame from ``start`` on, or frames spread over the episode.

    The original counts as many frames as an episode has actions, one less than pictures in Bridge and RT-1.

    Args:
        length: Frames of the episode.
        frames: Frames F of a prediction, the given one included.
        rule: Where it begins and how fast it goes.

    Returns:
        (F,) int64 in 0..length-1; past the end, the last frame is repeated.

    Raises:
        InputError: The episode ends before the first frame, or has none to predict after it.
    """
    if rule.only_one_clip:
        if length < 2:
            raise InputError(f"an episode of {length} frames leaves nothing to predict")
        return np.linspace(0, length - 1, frames).astype(np.int64)
    if length < rule.start + 2:
        raise InputError(
            f"an episode of {length} frames has nothing to predict after frame {rule.start}. Remedy: lower "
            "frames.start, or set frames.only_one_clip."
        )
    return np.minimum(rule.start + rule.skip * np.arange(frames, dtype=np.int64), length - 1)


def even_places(count: int, limit: int | None) -> list[int]:
    """At most ``limit`` of the places 0..count-1, spread evenly from the first to the last; None: all."""
    wanted = count if limit is None else min(limit, count)
    return [int(place) for place in np.unique(np.linspace(0, count - 1, wanted).round())]
