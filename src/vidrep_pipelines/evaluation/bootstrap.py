"""Confidence intervals: by resampling groups, such as the sequences of a data set, and of shares."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.common.seeds import generator_for

RESAMPLES = 10_000
LEVEL = 0.95

Statistic = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""From how often each group counts (R, groups) to the score of each resample (R,)."""


@dataclass(frozen=True)
class Interval:
    """A score and the range in which it would lie for other groups of the same kind."""

    value: float
    low: float
    high: float


def confidence_interval(
    statistic: Statistic, groups: int, level: float = LEVEL, resamples: int = RESAMPLES, seed: int = 0
) -> Interval:
    """Percentile bootstrap (Efron 1979): groups are drawn with replacement, as many as there are.

    Values of one sequence depend on one another, so whole sequences are drawn, not frames or objects.
    Resamples whose score is not a number are left out.

    Args:
        statistic: Scores many resamples at once, given as weights of the groups.
        groups: Number of groups.
        level: Share of resamples inside of the interval.
        resamples: Number of resamples that are drawn.
        seed: Seed of the draws; equal seeds draw equal groups, so that scores of several encoders are
            comparable.

    Raises:
        InputError: There are no groups.
    """
    if groups < 1:
        raise InputError("A confidence interval needs at least one group (sequence or video).")
    value = float(statistic(np.ones((1, groups)))[0])
    draws = generator_for("bootstrap", seed).multinomial(groups, np.full(groups, 1 / groups), size=resamples)
    tail = (1 - level) / 2
    low, high = np.nanquantile(statistic(draws.astype(np.float64)), [tail, 1 - tail])
    return Interval(value, float(low), float(high))


def mean_over_members(groups: Sequence[NDArray[np.float64]]) -> Statistic:
    """The plain mean over the members of all drawn groups: DAVIS averages objects, and draws sequences."""
    sums = np.array([np.sum(members) for members in groups], dtype=np.float64)
    counts = np.array([np.size(members) for members in groups], dtype=np.float64)

    def statistic(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        with np.errstate(invalid="ignore"):
            means: NDArray[np.float64] = (weights @ sums) / (weights @ counts)
        return means

    return statistic


def wilson_interval(share: float, count: int, confidence: float) -> tuple[float, float]:
    """Wilson's score interval of a share of ``count`` independent answers.

    Args:
        share: Of the answers that are right, in 0..1.
        count: Number of answers; at least one.
        confidence: Share of such intervals that hold the true one.
    """
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    spread = z * np.sqrt(share * (1 - share) / count + z**2 / (4 * count**2))
    center, scale = share + z**2 / (2 * count), 1 + z**2 / count
    return max(0.0, float((center - spread) / scale)), min(1.0, float((center + spread) / scale))
