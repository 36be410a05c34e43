"""Statistics of a LeRobotDataset's features: of each episode, and of all put together from these."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.common.arrays import FloatArray, Pixels

FeatureStatistics = Mapping[str, NDArray[Any]]
"""``min``, ``max``, ``mean``, ``std`` in the feature's shape, for pictures (3, 1, 1), and ``count`` (1,)."""

_MOST_PICTURES = 50


def column_statistics(values: NDArray[Any]) -> FeatureStatistics:
    """Of a column (T, N), number by number; truth values count as 0 and 1."""
    numbers = values.astype(np.float64)
    return _statistics(numbers, axis=(0,), count=len(numbers), shape=(numbers.shape[1],))


def picture_statistics(pictures: Pixels) -> FeatureStatistics:
    """Of pictures (T, H, W, 3), channel by channel as 0..1; of a long episode every so many is looked at."""
    step = -(-len(pictures) // _MOST_PICTURES)
    sample = pictures[::step].astype(np.float64) / 255
    return _statistics(sample, axis=(0, 1, 2), count=len(sample), shape=(3, 1, 1))


def _statistics(
    values: FloatArray, axis: tuple[int, ...], count: int, shape: tuple[int, ...]
) -> FeatureStatistics:
    measures = {
        "min": values.min(axis=axis),
        "max": values.max(axis=axis),
        "mean": values.mean(axis=axis),
        "std": values.std(axis=axis),
    }
    shaped = {name: np.reshape(measure, shape) for name, measure in measures.items()}
    return {**shaped, "count": np.array([count])}


def joint_statistics(parts: Sequence[FeatureStatistics]) -> FeatureStatistics:
    """Of all episodes together: exact, where all frames of each were looked at.

    Args:
        parts: Of each episode, at least one.
    """
    counts = np.concatenate([part["count"] for part in parts])
    means, deviations = (np.stack([part[name] for part in parts]) for name in ("mean", "std"))
    shares = (counts / counts.sum()).reshape(-1, *[1] * (means.ndim - 1))
    mean = (shares * means).sum(axis=0)
    variance = (shares * (deviations**2 + (means - mean) ** 2)).sum(axis=0)
    return {
        "min": np.min([part["min"] for part in parts], axis=0),
        "max": np.max([part["max"] for part in parts], axis=0),
        "mean": mean,
        "std": np.sqrt(variance),
        "count": np.array([counts.sum()]),
    }
