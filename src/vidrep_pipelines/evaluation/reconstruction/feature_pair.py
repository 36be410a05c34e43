"""Features of real videos and of their reconstructions, gathered batch by batch."""

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.evaluation.reconstruction.feature_cache import FeatureCache
from vidrep_pipelines.evaluation.reconstruction.frechet import frechet_distance
from vidrep_pipelines.evaluation.reconstruction.networks import FeatureNetwork


class FeaturePair:
    """Gathers the features of both sides by one network; those of the real side may be known.

    Args:
        network: Computes features.
        cache: Where features of the real side are kept; none: nowhere.
    """

    def __init__(self, network: FeatureNetwork, cache: FeatureCache | None) -> None:
        self._network, self._cache = network, cache
        self._known = cache.load(network.digest) if cache else None
        self._real: list[NDArray[np.float32]] = []
        self._other: list[NDArray[np.float32]] = []

    def add(self, real: Tensor, other: Tensor) -> None:
        """Adds a batch: clips (B, T, 3, H, W) or frames (N, 3, H, W), in 0..1."""
        if self._known is None:
            self._real.append(self._features(real))
        self._other.append(self._features(other))

    def finish(self) -> None:
        """Keeps what was computed of the real side."""
        if self._cache and self._known is None and self._real:
            self._cache.save(self._network.digest, np.concatenate(self._real))

    def distance(self, rows: NDArray[np.bool_]) -> float:
        """Frechet distance of the samples where ``rows`` (N,) is true; NaN with fewer than two of them.

        Raises:
            InputError: The known features are of another number of samples.
        """
        other = np.concatenate(self._other)
        real = np.concatenate(self._real) if self._known is None else self._known
        if len(real) != len(other):
            raise InputError(
                f"Features of {len(real)} real samples are kept in {self._cache}, but {len(other)} were "
                "measured now. Remedy: delete that folder."
            )
        return frechet_distance(real[rows], other[rows]) if rows.sum() >= 2 else float("nan")

    def _features(self, pixels: Tensor) -> NDArray[np.float32]:
        found: NDArray[np.float32] = self._network.features(pixels).float().cpu().numpy()
        if found.ndim != 2 or len(found) != len(pixels):
            raise InputError(f"A metric network gave {found.shape} for {len(pixels)} samples.")
        return found
