"""What the training tasks of the three tokenizers share."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from PIL.Image import Image
from torch import nn

from vidrep_pipelines.common.config import FrozenConfig
from vidrep_pipelines.models.layers.vqgan import Level
from vidrep_pipelines.models.shared.weight_file import weights_digest
from vidrep_pipelines.models.voc.tokenizers.dataset import StatePairs, StoredFrames
from vidrep_pipelines.training.optimizer import weight_decay_groups


def save_pictures(pictures: Mapping[str, Image], directory: Path, step: int) -> list[Path]:
    """Saves each picture as ``<directory>/<name>/step-<step>.png`` and returns the paths."""
    paths = [directory / name / f"step-{step:08d}.png" for name in pictures]
    for path, picture in zip(paths, pictures.values(), strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        picture.save(path)
    return paths


class TokenizerTask(FrozenConfig, ABC):
    """Data and optimization of a tokenizer; each one adds its model and its loss.

    With that it is a :class:`~vidrep_pipelines.training.task.Task` that also follows updates.
    """

    system: ClassVar[str]
    """Name in folders, metrics and messages."""

    name_in_digests: ClassVar[str]
    """What stands for this class in the identity of a run; it stays the same wherever the class goes."""

    machine_fields: ClassVar[dict[str, Any]] = {"frame_store": True, "initialize_from": True}
    """Paths among the fields, which say where something lies and not what it is."""

    frame_store: Path
    """Folder of the episodes' frames."""

    split: str = "train"
    """Part of the store that is trained on."""

    initialize_from: Path | None = None
    """Weights to start from, in the published layout. None: random initialization."""

    seed: int = 0
    """Seed of the data order's and the samples' draws."""

    @property
    def name(self) -> str:
        """The system's name."""
        return self.system

    @property
    def samples_per_item(self) -> int:
        """One: items are samples."""
        return 1

    def files(self) -> dict[str, Path | None]:
        """The files that the result depends on, by what they are called in errors."""
        return {"initialize_from": self.initialize_from}

    def identity(self) -> dict[str, Any]:
        """What determines the result: no machine paths, but the content of the files that are used.

        Raises:
            InputError: A file cannot be read.
        """
        science = self.model_dump(exclude=self.machine_fields, mode="json")
        return {**science, "files": {name: weights_digest(name, path) for name, path in self.files().items()}}

    @abstractmethod
    def build_dataset(self) -> StoredFrames | StatePairs:
        """The training samples."""

    def item_names(self, indices: Sequence[int]) -> list[str]:
        """Views with the numbers of frames, for error messages."""
        samples = self.build_dataset()
        return [samples.name(index) for index in indices]

    def parameter_groups(self, model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
        """Vectors and matrices."""
        return weight_decay_groups(model, weight_decay)

    def shard_units(self, model: nn.Module) -> list[nn.Module]:
        """The levels of convolutional networks."""
        return [module for module in model.modules() if isinstance(module, Level)]
