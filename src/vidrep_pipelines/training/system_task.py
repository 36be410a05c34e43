"""What the tasks of all systems have in common: seed, identity, pictures, and how a model is used later."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Generic

from PIL.Image import Image

from vidrep_pipelines.common.config import FrozenConfig
from vidrep_pipelines.common.foreign_weights import weights_digest
from vidrep_pipelines.training.optimizer import weight_decay_groups
from vidrep_pipelines.training.task import Model


class SystemTask(FrozenConfig, ABC, Generic[Model]):
    """The part of a :class:`~vidrep_pipelines.training.task.Task` that is the same in every system.

    A system adds its fields, its model, its samples and its loss. ``SystemTask[RspModel]`` is a task that
    trains an ``RspModel``.
    """

    name: ClassVar[str]
    """The system's name in folders, metrics and messages."""

    name_in_digests: ClassVar[str]
    """What stands for the class in the identity of a run; it stays the same wherever the class goes."""

    not_science: ClassVar[set[str] | dict[str, Any]]
    """Fields that do not determine the result, as pydantic's ``exclude``: paths, which say where something
    lies and not what it is, and what is only logged. The content of files that do determine it counts by
    :meth:`files_that_count`."""

    seed: int = 0
    """Seed of the data order's and the samples' draws."""

    @property
    def samples_per_item(self) -> int:
        """Training samples drawn per item: one, unless a system says otherwise."""
        return 1

    def files_that_count(self) -> dict[str, Path | None]:
        """The files on whose content the result depends, by what they are called in errors."""
        return {}

    def science(self) -> dict[str, Any]:
        """The fields that determine the result, as JSON data and without paths."""
        return self.model_dump(exclude=self.not_science, mode="json")

    def digests_of_files(self) -> dict[str, str | None]:
        """Digests of :meth:`files_that_count`.

        Raises:
            InputError: A file cannot be read, or can hold no weights.
        """
        return {name: weights_digest(name, path) for name, path in self.files_that_count().items()}

    def identity(self) -> dict[str, Any]:
        """What determines the result: no machine paths, but the content of the files that are used.

        Raises:
            InputError: A file cannot be read, or can hold no weights.
        """
        return {**self.science(), **self.digests_of_files()}

    def checkpoint_config(self) -> dict[str, Any]:
        """What is needed to use the trained weights, as JSON data; it is published beside them."""
        return dict(self.model_dump(mode="json", include={"model"})["model"])

    def parameter_groups(self, model: Model, weight_decay: float) -> list[dict[str, Any]]:
        """Matrices are decayed, vectors and everything named ``*.bias`` are not."""
        return weight_decay_groups(model, weight_decay)

    @abstractmethod
    def pictures(self, model: Model) -> Mapping[str, Image]:
        """What shows how the model is doing, always for the same samples, by the folders they are kept in."""

    def on_checkpoint(self, model: Model, directory: Path, step: int) -> list[Path]:
        """Saves each of :meth:`pictures` as ``<directory>/<name>/step-<step>.png`` and returns the paths."""
        paths = []
        for name, picture in self.pictures(model).items():
            paths.append(directory / name / f"step-{step:08d}.png")
            paths[-1].parent.mkdir(parents=True, exist_ok=True)
            picture.save(paths[-1])
        return paths
