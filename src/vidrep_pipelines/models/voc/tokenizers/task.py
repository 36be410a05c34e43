"""What the training tasks of the three tokenizers share."""

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Generic

from torch import nn

from vidrep_pipelines.models.layers.vqgan import Level
from vidrep_pipelines.models.voc.tokenizers.dataset import StatePairs, StoredFrames
from vidrep_pipelines.training.system_task import SystemTask
from vidrep_pipelines.training.task import Model


class TokenizerTask(SystemTask[Model], Generic[Model]):
    """Data and optimization of a tokenizer; each one adds its model and its loss.

    With that it is a :class:`~vidrep_pipelines.training.task.Task` that also follows updates.
    """

    not_science: ClassVar[dict[str, Any]] = {"frame_store": True, "initialize_from": True}

    frame_store: Path
    """Folder of the episodes' frames."""

    split: str = "train"
    """Part of the store that is trained on."""

    initialize_from: Path | None = None
    """Weights to start from, in the published layout. None: random initialization."""

    def files_that_count(self) -> dict[str, Path | None]:
        """Weights to start from."""
        return {"initialize_from": self.initialize_from}

    def identity(self) -> dict[str, Any]:
        """What determines the result: no machine paths, but the content of the files that are used.

        Raises:
            InputError: A file cannot be read.
        """
        return {**self.science(), "files": self.digests_of_files()}

    def checkpoint_config(self) -> dict[str, Any]:
        """Which tokenizer it is, and its architecture."""
        return {"kind": self.name.removeprefix("voc_"), "model": super().checkpoint_config()}

    @abstractmethod
    def build_dataset(self) -> StoredFrames | StatePairs:
        """The training samples."""

    def item_names(self, indices: Sequence[int]) -> list[str]:
        """Views with the numbers of frames, for error messages."""
        samples = self.build_dataset()
        return [samples.name(index) for index in indices]

    def shard_units(self, model: Model) -> list[nn.Module]:
        """The levels of convolutional networks."""
        return [module for module in model.modules() if isinstance(module, Level)]
