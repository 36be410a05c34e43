"""What a system supplies to be trained by the shared loop."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, TypeVar, cast, runtime_checkable

import torch
from pydantic import BaseModel, ValidationError
from torch import Tensor, nn
from torch.utils.data import Dataset

from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.common.former_names import current_class
from vidrep_pipelines.training.config import TrainConfig, TrainSpec
from vidrep_pipelines.training.order import ItemKey

_PACKAGES = "VIDREP_TASK_PACKAGES"

Model = TypeVar("Model", bound=nn.Module)
"""The model that a system's task builds and trains."""

_Model_contra = TypeVar("_Model_contra", bound=nn.Module, contravariant=True)

Batch = Mapping[str, Any]
"""Collated items on the training device; ``batch["index"]`` (B,) holds the items' indices."""

Metrics = dict[str, Tensor]
"""Detached scalars by name, each a mean over the micro-batch."""


@dataclass(frozen=True)
class StepInfo:
    """Where training is, for losses that depend on it.

    Attributes:
        step: Updates done so far.
        epoch: Passes over the data done so far, with its fraction.
        mean_across_ranks: In a loss, the mean over the items of all processes, from each one's mean over its
            own items; after an update, the mean over the processes. It carries no gradient: it serves
            decisions (for example whether a mean is below a threshold) on which all processes must agree.
        gather_across_ranks: Concatenates the tensors of all processes along the first dimension, in which
            they may differ. Its result carries no gradient.
    """

    step: int
    epoch: float
    mean_across_ranks: Callable[[Tensor], Tensor]
    gather_across_ranks: Callable[[Tensor], Tensor] = torch.Tensor.detach


class Task(Protocol[Model]):
    """A system as the training loop sees it; ``Task[RspModel]`` trains an ``RspModel``.

    Implement it by a frozen pydantic model, best by
    :class:`~vidrep_pipelines.training.system_task.SystemTask`, which has what all systems share.

    The loop seeds torch's global generators before every forward pass from (seed, step, position in the
    batch). Noise taken from the samples' own seeds in addition does not depend on the number of processes.
    """

    @property
    def name(self) -> str:
        """Short name, for example ``"rsp"``."""

    @property
    def name_in_digests(self) -> str:
        """What stands for the system in the identity of a run.

        It must never change, or every run of the system is trained anew. Systems that are older than this
        name have in it the place where their class was then.
        """

    @property
    def samples_per_item(self) -> int:
        """Training samples drawn per item; published epochs and warm-up are integer-divided by it."""

    def identity(self) -> dict[str, Any]:
        """What determines the result, as JSON data and without paths; a change of it means retraining."""

    def checkpoint_config(self) -> dict[str, Any]:
        """What is needed to use the trained weights, as JSON data; it is published beside them."""

    def build_model(self) -> Model:
        """A new model on the CPU. Torch's global generator is seeded before the call."""

    def build_dataset(self) -> Dataset[Any]:
        """The training data: ``len()``, and ``[(epoch, index)]`` -> a dict with the int ``"index"`` in it."""

    def item_names(self, indices: Sequence[int]) -> list[str]:
        """Names of items, for error messages."""

    def parameter_groups(self, model: Model, weight_decay: float) -> list[dict[str, Any]]:
        """The optimizer's groups of parameters.

        An optional ``"lr_scale"`` multiplies a group's rate; ``"constant_rate": True`` keeps it at the peak.
        """

    def shard_units(self, model: Model) -> list[nn.Module]:
        """The submodules that FSDP2 gathers one at a time, usually the transformer blocks.

        They are also what ``launch.compile`` compiles, so they should do nearly all of the work.
        """

    def loss(self, model: Model, batch: Batch, step: StepInfo) -> tuple[Tensor, Metrics]:
        """The scalar loss, a mean over the batch's items, and metrics to log."""

    def on_checkpoint(self, model: Model, directory: Path, step: int) -> list[Path]:
        """Makes pictures in ``directory`` and returns them. Runs on the first process, in eval mode."""


@runtime_checkable
class FollowsUpdates(Protocol[_Model_contra]):
    """A task with something in its model that no optimizer moves, such as a moving average."""

    def after_update(self, model: _Model_contra, step: StepInfo) -> None:
        """Called on every process once per update, after the optimizer's step.

        Args:
            model: The model; only buffers may be changed, and on all processes alike.
            step: The step that the loss of this update was given.
        """


@runtime_checkable
class ChoosesCompiledUnits(Protocol[_Model_contra]):
    """A task of which other submodules are worth compiling than its shard units."""

    def compiled_units(self, model: _Model_contra) -> list[nn.Module]:
        """The submodules that ``torch.compile`` compiles, one at a time."""


@runtime_checkable
class LooksAhead(Protocol[_Model_contra]):
    """A task that says and shows, before the first update, what it is about to train on."""

    def before_training(
        self, model: _Model_contra, items: Sequence[ItemKey], train: TrainConfig, directory: Path
    ) -> list[Path]:
        """Makes pictures in ``directory`` and returns them; called once, on the first process.

        Args:
            model: The model, perhaps sharded.
            items: The first micro-batch of this process.
            train: How it is trained.
            directory: Receives the pictures.
        """


@runtime_checkable
class LeavesWeightsOut(Protocol[_Model_contra]):
    """A task whose checkpoints do without weights that never change and are kept elsewhere."""

    def left_out(self, model: _Model_contra) -> frozenset[str]:
        """Names of weights that checkpoints do not hold, as ``build_model`` always gives the same ones."""


@runtime_checkable
class HasImageEncoder(Protocol[_Model_contra]):
    """A task of which a probe can measure a part."""

    def image_encoder(self, model: _Model_contra) -> nn.Module:
        """The part of the model that is kept, for a probe: images (B, 3, H, W) to tokens (B, 1 + L, E)."""


class TrainingStep(nn.Module):
    """The model and its loss as one module, so that wrappers such as DDP stay invisible to systems."""

    def __init__(self, task: Task[Any], model: nn.Module) -> None:
        super().__init__()
        self.task, self.model = task, model

    def forward(self, batch: Batch, step: StepInfo) -> tuple[Tensor, Metrics]:
        """The task's loss of ``batch``."""
        return self.task.loss(self.model, batch, step)


def load_task(spec: TrainSpec) -> Task[Any]:
    """Imports the class named in ``spec.task`` and builds it from ``spec.task_config``.

    Raises:
        ConfigurationError: There is no such task, nothing may be imported from there, or it refuses the
            fields.
    """
    return cast(Task[Any], load_described(spec.task, spec.task_config, "spec.task", has="build_model"))


def load_described(where: str, config: dict[str, Any], field: str, has: str) -> Any:
    """Imports the pydantic class at ``where`` and builds it from its fields.

    Importing a module runs it, and a specification may come from elsewhere: only this project's own modules
    are imported, and those of the packages that ``VIDREP_TASK_PACKAGES`` lists, separated by commas.

    Args:
        where: ``"module:Class"``, perhaps as an earlier version called it.
        config: The fields, as JSON.
        field: Name of the parameter, for error messages.
        has: A method by which the right kind of class is known.

    Raises:
        ConfigurationError: There is no such class, nothing may be imported from there, or the class refuses
            the fields.
    """
    module, _, name = current_class(where).partition(":")
    _check_package(module, field)
    try:
        kind = getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigurationError(
            f"{field} is {where!r}, but {error}. It must be 'module:Class' of an importable class."
        ) from error
    if not (isinstance(kind, type) and issubclass(kind, BaseModel) and hasattr(kind, has)):
        raise ConfigurationError(f"{field} is {where!r}, which is no configuration with {has}().")
    try:
        return kind.model_validate(config)
    except ValidationError as error:
        raise ConfigurationError(f"The fields of {field} ({where}) do not fit: {error}") from error


def _check_package(module: str, field: str) -> None:
    trusted = {"vidrep_pipelines", *os.environ.get(_PACKAGES, "").split(",")}
    if module.partition(".")[0] not in trusted - {""}:
        raise ConfigurationError(
            f"{field} names {module!r}, which is no module of this project, and is not imported. For a task "
            f"of your own, set the environment variable {_PACKAGES} to the name of its package."
        )
