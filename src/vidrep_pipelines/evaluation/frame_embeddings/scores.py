"""Scores that can be computed for any selection of the videos, and their intervals."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.common.seeds import generator_for
from vidrep_pipelines.evaluation.bootstrap import LEVEL, Interval, Statistic

VideoDraws = NDArray[np.int32]
"""(R, V) how often each video is drawn."""

OVERALL = "all"
"""Stands for all actions together."""


class Dropped(NamedTuple):
    """Something that could not be measured.

    Attributes:
        task: The task; ``embeddings`` for videos that no task gets to see.
        encoder: The encoder of the embeddings.
        action: The action of the video or the pair.
        item: Name of the video, ``query > key`` of a pair; empty for a whole action.
        reason: Why it could not be measured.
    """

    task: str
    encoder: str
    action: str
    item: str
    reason: str


@dataclass(frozen=True)
class Score:
    """A number that follows from how often each video counts.

    Attributes:
        measure: Name such as ``retrieval_at_5``.
        action: The action it is of, or ``OVERALL``.
        statistic: A function from weights of the videos (R, V) to the score of each selection (R,).
        videos: Number V of the videos.
        split: The split of the videos.
    """

    measure: str
    action: str
    statistic: Statistic
    videos: int
    split: str

    def resampled(self, draws: VideoDraws) -> "Resampled":
        """The score of all videos, and of each draw."""
        value = float(self.statistic(np.ones((1, self.videos)))[0])
        return Resampled(value, self.statistic(draws.astype(np.float64)))


@dataclass(frozen=True)
class Resampled:
    """A score, and the same for other selections of videos.

    Attributes:
        value: The score of all videos; NaN if it is not defined for them.
        samples: (R,) one per selection.
    """

    value: float
    samples: NDArray[np.float64]

    @classmethod
    def mean(cls, members: Sequence["Resampled"]) -> Self:
        """The mean over the members that have a value: actions count alike, however many videos they have."""
        defined = [member for member in members if not np.isnan(member.value)]
        if not defined:
            return cls(float("nan"), np.empty(0))
        samples = np.stack([member.samples for member in defined])
        known = ~np.isnan(samples)
        with np.errstate(invalid="ignore"):
            means = np.where(known, samples, 0.0).sum(axis=0) / known.sum(axis=0)
        return cls(float(np.mean([member.value for member in defined])), means)

    def lead_over(self, other: "Resampled") -> "Resampled":
        """The difference; what is hard for both cancels, as both have the same selections."""
        return Resampled(self.value - other.value, self.samples - other.samples)

    def interval(self) -> Interval:
        """Percentile bootstrap (Efron 1979); selections without a value are left out."""
        defined = self.samples[~np.isnan(self.samples)]
        if not len(defined) or np.isnan(self.value):
            return Interval(self.value, float("nan"), float("nan"))
        tail = (1 - LEVEL) / 2
        low, high = np.quantile(defined, [tail, 1 - tail])
        return Interval(self.value, float(low), float(high))


def draw_videos(action: str, split: str, videos: int, resamples: int) -> VideoDraws:
    """Draws videos of an action with replacement, as many as there are.

    Equal arguments draw the same videos, so that measures and encoders are comparable.
    """
    generator = generator_for("videos", action, split)
    return generator.multinomial(videos, np.full(videos, 1 / videos), size=resamples).astype(np.int32)


def mean_over_frames(correct: NDArray[np.integer], frames: NDArray[np.integer]) -> Statistic:
    """Share of correct frames; every frame counts alike, as published.

    Args:
        correct: (V,) correct frames per video.
        frames: (V,) frames per video.
    """

    def statistic(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        shares: NDArray[np.float64] = (weights @ correct) / (weights @ frames)
        return shares

    return statistic


def mean_over_videos(values: NDArray[np.floating] | NDArray[np.bool_]) -> Statistic:
    """Mean of a value (V,) per video."""
    return mean_over_frames(values.astype(np.float64), np.ones(len(values), np.int64))


def mean_over_pairs(pairs: NDArray[np.float64]) -> Statistic:
    """Mean of values (V, V) over the pairs of different videos; those that are NaN are left out.

    A video that is drawn twice is not paired with itself.
    """
    valid = ~np.isnan(pairs)
    values, counted = np.where(valid, pairs, 0.0), valid.astype(np.float64)

    def statistic(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        with np.errstate(invalid="ignore"):
            means: NDArray[np.float64] = ((weights @ values) * weights).sum(axis=1) / (
                (weights @ counted) * weights
            ).sum(axis=1)
        return means

    return statistic
