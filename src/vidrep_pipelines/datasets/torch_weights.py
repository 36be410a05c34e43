"""Weights as a PyTorch file, for exchange with other code bases."""

from typing import Any

from kedro_datasets._typing import JSONPreview

from vidrep_pipelines.common.atomic import atomic_file
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.datasets.local import LocalDataset, json_preview


class TorchWeights(LocalDataset[dict[str, Any], dict[str, Any]]):
    """A (nested) dictionary of tensors and plain values in a ``.pth`` file; reading never executes code."""

    def save(self, data: dict[str, Any]) -> None:
        """Writes the file."""
        import torch

        with atomic_file(self._path) as temporary:
            torch.save(data, temporary)

    def load(self) -> dict[str, Any]:
        """Reads tensors onto the CPU, mapped from the file.

        Raises:
            InputError: The file is damaged, or holds more than tensors and plain values.
        """
        import torch

        path = self._require()
        try:
            loaded: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        except Exception as error:  # a damaged archive can raise nearly anything
            raise InputError(
                f"{path} was not read: {error}. Only tensors and plain values are accepted in a weights file."
            ) from error
        return loaded

    def preview(self) -> JSONPreview:
        """Name and size of the file; looking inside would import torch."""
        if not self._exists():
            return JSONPreview("{}")
        return json_preview({"file": self._path.name, "bytes": self._path.stat().st_size})
