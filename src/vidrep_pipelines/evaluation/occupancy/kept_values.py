"""Measured states that are kept, so that an evaluation of the same model is not done again."""

from pathlib import Path

import pandas as pd

from vidrep_pipelines.common.atomic import atomic_file
from vidrep_pipelines.common.digest import digest_of
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.evaluation.occupancy.config import OccupancyEvaluationConfig

_MEASUREMENT = 2
"""Version of what equal models, tokens and parameters lead to: raised when values change."""


class KeptValues:
    """A place for the values of one model on one set of episodes.

    Args:
        folder: The folder of all kept values.
        model: Digest of the model.
        tokens: Digest of the episodes.
        config: How the model is evaluated; the bootstrap does not count.
    """

    def __init__(self, folder: Path, model: str, tokens: str, config: OccupancyEvaluationConfig) -> None:
        science = config.model_dump(exclude={"confidence", "resamples"})
        self._path = folder / f"{digest_of(_MEASUREMENT, model, tokens, science)}.parquet"

    def load(self) -> pd.DataFrame | None:
        """The values; none if they were never measured.

        Raises:
            InputError: The file is damaged.
        """
        if not self._path.is_file():
            return None
        try:
            return pd.read_parquet(self._path)
        except (OSError, ValueError) as error:
            raise InputError(f"{self._path} is damaged ({error}). Remedy: delete it.") from error

    def save(self, values: pd.DataFrame) -> None:
        """Keeps values."""
        with atomic_file(self._path) as temporary:
            values.to_parquet(temporary, index=False)
