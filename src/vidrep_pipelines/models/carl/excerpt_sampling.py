"""Which frames of a long video make up an excerpt of it (arXiv 2203.14957, section 3.2)."""

import math
from dataclasses import dataclass
from typing import Any, Literal, Protocol, Self

import numpy as np
from pydantic import (
    Field,
    PositiveInt,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from vidrep_pipelines.common.arrays import IntArray
from vidrep_pipelines.common.config import FrozenConfig
from vidrep_pipelines.common.errors import InputError

_PACES = 5
"""Moments of a block between which an uneven pace is interpolated."""


class SamplingDraws(Protocol):
    """The draws that sampling makes, in this order and form; a NumPy generator offers them."""

    def uniform(self, low: float, high: float) -> float:
        """A number in [low, high)."""

    def integers(self, low: int, high: int, size: int | None = None) -> IntArray | int:
        """One integer in [low, high), or ``size`` of them."""

    def permutation(self, count: int) -> IntArray:
        """(count,) the numbers below ``count`` in random order."""


@dataclass(frozen=True)
class Excerpt:
    """The frames of one excerpt.

    Attributes:
        frames: (K * T,) frames to decode, for each of the T positions its K - 1 context frames before it.
        positions: (T,) positions in the video, in frames, within it.
        mask: (T,) 1 where the position exists, 0 where it is padding.
    """

    frames: IntArray
    positions: IntArray
    mask: IntArray


class ExcerptSamplingConfig(FrozenConfig):
    """How excerpts are drawn from a video."""

    frames: PositiveInt = 240
    """T, positions of an excerpt; shorter videos are padded."""

    views: PositiveInt = 2
    """Excerpts drawn from one video: two for contrast, one for the other objectives."""

    strategy: Literal["time_augment", "offset_uniform"] = "time_augment"
    """``time_augment``: distinct positions of a random block. ``offset_uniform``: of the whole video."""

    region: float = Field(default=1.5, ge=0)
    """Largest length of the block, in lengths of what is drawn from it; up to 1, the block is that long."""

    block: Literal["video", "view"] = "video"
    """What the block's length is a multiple of. ``video`` is published for all data sets but FineGym, whose
    ``view`` is what the paper describes: with ``video`` there is no crop in time, and the positions drawn
    beyond the end are lost to padding."""

    overlap: float = Field(default=0.2, ge=0, le=1)
    """How near the second excerpt's block starts to the first one's; 0 draws it independently (beta in the
    paper, published 0.2; 1 for Kinetics)."""

    uneven_pace: float = Field(default=0.0, ge=0, le=2)
    """``time_augment``: how much the pace varies within an excerpt, the standard deviation of its logarithm.
    Each excerpt gets paces of its own, so that counting frames does not tell which frames of two excerpts
    belong together. 0: one pace, as published. A block that is no longer than the excerpt has one, too."""

    context_frames: PositiveInt = 1
    """K, frames that the convolutional encoder sees at each position, itself included."""

    context_stride: PositiveInt = 1
    """Distance between context frames, in frames."""

    positive_window: int = Field(default=0, ge=0)
    """Above 0, every other position is a positive of the one before, at most so many frames earlier (TCN)."""

    @model_serializer(mode="wrap")
    def _without_what_is_not_used(self, fields: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Runs of even pace are older than the parameter: they stay what they were."""
        values: dict[str, Any] = fields(self)
        if not self.uneven_pace:
            values.pop("uneven_pace", None)
        return values

    @model_validator(mode="after")
    def _even_pairs(self) -> Self:
        if self.positive_window and self.frames % 2:
            raise ValueError(f"with a positive_window, frames ({self.frames}) must be even")
        return self


def sample_excerpts(length: int, config: ExcerptSamplingConfig, draws: SamplingDraws) -> list[Excerpt]:
    """Draws the excerpts of a video of ``length`` frames.

    Raises:
        InputError: The video has no frames.
    """
    if length < 1:
        raise InputError("An excerpt needs a video of at least one frame.")
    excerpts: list[Excerpt] = []
    earliest: int | None = None
    for _ in range(config.views):
        excerpt, start = _sample_excerpt(length, config, draws, earliest)
        earliest = start if earliest is None else earliest
        excerpts.append(excerpt)
    return excerpts


def _sample_excerpt(
    length: int, config: ExcerptSamplingConfig, draws: SamplingDraws, other_start: int | None
) -> tuple[Excerpt, int]:
    anchors = config.frames // 2 if config.positive_window else config.frames
    if config.strategy == "offset_uniform":
        positions = _whole_video(length, anchors, draws)
    else:
        positions = _random_block(length, anchors, config, draws, other_start)
    start = int(positions.min())
    if config.positive_window:
        positions = _with_positives(positions, config.positive_window, draws)
    mask = ((positions >= 0) & (positions < length)).astype(np.int64)
    return Excerpt(_with_context(positions, config, length), np.clip(positions, 0, length - 1), mask), start


def _random_block(
    length: int, count: int, config: ExcerptSamplingConfig, draws: SamplingDraws, other_start: int | None
) -> IntArray:
    drawn = min(length, count)
    factor = draws.uniform(1.0, config.region) if config.region > 1 else 1.0
    block = math.ceil(factor * (length if config.block == "video" else drawn))
    low, high = _offset_range(length, block, drawn, config.overlap, other_start)
    offset = int(draws.integers(low, high))
    within = draws.permutation(block) if not config.uneven_pace else _unevenly(block, config, draws)
    positions = np.sort(offset + within[:drawn])
    return np.pad(positions, (0, count - drawn), constant_values=length)


def _unevenly(block: int, config: ExcerptSamplingConfig, draws: SamplingDraws) -> IntArray:
    """(block,) all places of a block in random order, earlier the slower the pace is there.

    Weighted sampling without replacement (Efraimidis and Spirakis 2006), from quantiles in random order.
    """
    reach = config.uneven_pace * math.sqrt(3)  # of the uniform distribution with this deviation
    slowness = np.exp([draws.uniform(-reach, reach) for _ in range(_PACES)])
    weights = np.interp(np.linspace(0, _PACES - 1, block), np.arange(_PACES), slowness)
    quantiles = (draws.permutation(block) + 0.5) / block
    order: IntArray = np.argsort(-np.log(quantiles) / weights, kind="stable")
    return order


def _offset_range(
    length: int, block: int, drawn: int, overlap: float, other_start: int | None
) -> tuple[int, int]:
    """Where a block may start: [low, high)."""
    if other_start is None or overlap == 0:
        return 0, max(length - block, 1)
    shift = int((1 - overlap) * drawn)
    low = max(0, min(length - block, other_start - shift))
    return low, max(1, min(length - block + 1, other_start + shift + 1))


def _whole_video(length: int, count: int, draws: SamplingDraws) -> IntArray:
    if length < count:
        return np.arange(count)
    positions: IntArray = np.sort(draws.permutation(length)[:count])
    return positions


def _with_positives(anchors: IntArray, window: int, draws: SamplingDraws) -> IntArray:
    """Anchor, positive, anchor, positive, ...; a positive lies 1 to ``window`` frames before its anchor."""
    deltas = np.asarray(draws.integers(-window, 0, len(anchors)))
    return np.stack([anchors, anchors + deltas], axis=1).reshape(-1)


def _with_context(positions: IntArray, config: ExcerptSamplingConfig, length: int) -> IntArray:
    back = np.arange(config.context_frames - 1, -1, -1) * config.context_stride
    frames: IntArray = np.clip(positions[:, None] - back, 0, length - 1)
    return frames.reshape(-1)
