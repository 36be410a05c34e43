"""What DAVIS says about a series of per-frame values."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BINS = 4


@dataclass(frozen=True)
class FrameStatistics:
    """Summary of one object's J or F over the evaluated frames."""

    mean: float
    recall: float
    """Share of frames with a value above 0.5."""
    decay: float
    """Mean of the first quarter minus mean of the last one: how much is lost on the way."""


def frame_statistics(values: NDArray[np.float64]) -> FrameStatistics:
    """Statistics of the values (n,), n at least 1; NaN counts in no mean and as not recalled.

    Neighboring quarters share a frame, as in the toolkit. The toolkit keeps their edges in 8-bit integers, so
    that its decay is wrong for more than 256 evaluated frames; here it is right.
    """
    edges = np.round(np.linspace(1, len(values), BINS + 1) + 1e-10).astype(np.intp) - 1
    first, last = values[edges[0] : edges[1] + 1], values[edges[-2] : edges[-1] + 1]
    return FrameStatistics(
        mean=_mean(values), recall=float(np.mean(values > 0.5)), decay=_mean(first) - _mean(last)
    )


def _mean(values: NDArray[np.float64]) -> float:
    numbers = values[~np.isnan(values)]
    return float(numbers.mean()) if len(numbers) else float("nan")
