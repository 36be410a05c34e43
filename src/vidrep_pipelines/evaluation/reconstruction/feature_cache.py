"""Features of real clips, computed once per data set and network."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.common.atomic import atomic_file
from vidrep_pipelines.common.digest import digest_of
from vidrep_pipelines.common.errors import InputError


@dataclass(frozen=True)
class FeatureCache:
    """Keeps features in a folder.

    Attributes:
        folder: The folder that they are in; made when something is kept.
        content: Digest of what is measured: the frames, which clips of them, in which order.
    """

    folder: Path
    content: str

    def load(self, network: str) -> NDArray[np.float32] | None:
        """The features (N, D) by the network with this digest; none if they were never computed.

        Raises:
            InputError: The file is damaged.
        """
        path = self._path(network)
        if not path.is_file():
            return None
        try:
            features: NDArray[np.float32] = np.load(path, allow_pickle=False)
        except (ValueError, OSError, EOFError) as error:
            raise InputError(f"{path} is damaged ({error}). Remedy: delete it.") from error
        return features

    def save(self, network: str, features: NDArray[np.float32]) -> None:
        """Keeps features (N, D)."""
        with atomic_file(self._path(network)) as temporary:
            np.save(temporary, features, allow_pickle=False)

    def _path(self, network: str) -> Path:
        return self.folder / f"{digest_of(self.content, network)}.npy"
