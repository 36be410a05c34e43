"""What is trained on what, as a file that can be copied with its data root."""

import json
from typing import Any

from vidrep_pipelines.common.digest import plain
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.common.portable_paths import portable, resolved
from vidrep_pipelines.datasets.tables import AtomicJson


class TrainingSpecFile(AtomicJson):
    """A training specification as JSON; paths inside the data root are stored relative to it.

    ``torchrun -m vidrep_pipelines.training.worker`` reads the same file.
    """

    def save(self, data: dict[str, Any]) -> None:
        """Writes the specification."""
        super().save(portable(plain(data), self._path.parent))

    def load(self) -> dict[str, Any]:
        """Reads it, with absolute paths.

        Raises:
            InputError: The file is damaged.
        """
        try:
            stored = json.loads(self._require().read_text(encoding="utf-8"))
            return resolved(stored, self._path.parent)
        except ValueError as error:
            raise InputError(
                f"{self._path} is no training specification ({error}). Remedy: run the pretraining pipeline, "
                "whose node plan writes it."
            ) from error
