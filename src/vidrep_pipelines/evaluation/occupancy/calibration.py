"""Whether sampled futures spread as much as real ones do."""

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


def probability_integral_transform(samples: FloatArray, actual: FloatArray) -> FloatArray:
    """Where what happened lies among the samples.

    Args:
        samples: (n, S) drawn from the predictions.
        actual: (n,).

    Returns:
        (n,) shares of the samples below, ties counted half; uniform over [0, 1] for a perfect model.
    """
    below = (samples < actual[:, None]).mean(axis=1)
    equal = (samples == actual[:, None]).mean(axis=1)
    shares: FloatArray = below + equal / 2
    return shares


def calibration_error(shares: FloatArray) -> float:
    """Mean distance of sorted shares (n,) from even ones: 0 is perfect, 0.5 the worst."""
    even = (np.arange(len(shares)) + 0.5) / len(shares)
    return float(np.abs(np.sort(shares) - even).mean())
