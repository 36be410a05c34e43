"""Several trained models that belong together, each a checkpoint of its own."""

import json
from collections.abc import Mapping

from kedro.io import DatasetError
from kedro_datasets._typing import JSONPreview

from vidrep_pipelines.common.atomic import atomic_file
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.datasets.checkpoint import Checkpoint, CheckpointDataset, CheckpointSource
from vidrep_pipelines.datasets.local import LocalDataset, json_preview

_NAMES = "checkpoints.json"


class CheckpointsDataset(LocalDataset[Mapping[str, CheckpointSource], dict[str, Checkpoint]]):
    """Checkpoints by name, in folders ``<name>/checkpoint`` below one, and a file that says which there are.

    That file is written after the last of them. A checkpoint whose name is not saved again stays on disk and
    is not loaded.
    """

    def save(self, data: Mapping[str, CheckpointSource]) -> None:
        """Publishes each source; see :class:`~.checkpoint.CheckpointDataset`."""
        for name, source in data.items():
            self._of(name).save(source)
        text = json.dumps(list(data), indent=2) + "\n"
        path = self._path / _NAMES
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            with atomic_file(path) as temporary:
                temporary.write_text(text, encoding="utf-8")

    def load(self) -> dict[str, Checkpoint]:
        """The handles, in the order in which they were saved.

        Raises:
            InputError: Weights are damaged, or a file cannot be read.
        """
        return {name: self._of(name).load() for name in self._names()}

    def _of(self, name: str) -> CheckpointDataset:
        return CheckpointDataset(filepath=(self._path / name / "checkpoint").as_posix())

    def _names(self) -> list[str]:
        path = self._require() / _NAMES
        try:
            names = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise DatasetError(f"{path} does not exist. Remedy: run the pipeline that makes it.") from error
        except ValueError as error:
            raise InputError(f"{path} is damaged ({error}). Remedy: delete it and run again.") from error
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise InputError(f"{path} is no list of names. Remedy: delete it and run again.")
        return names

    def _exists(self) -> bool:
        try:
            return all(self._of(name).exists() for name in self._names())
        except (DatasetError, InputError):
            return False

    def preview(self) -> JSONPreview:
        """Where each came from."""
        try:
            found = {name: Checkpoint.of(self._path / name / "checkpoint").meta for name in self._names()}
        except (DatasetError, InputError):
            return JSONPreview("{}")
        return json_preview(found)
