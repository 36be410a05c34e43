"""A system that is killed while it is trained."""

import os
import signal
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from torch import Tensor, nn
from torch.utils.data import Dataset

from vidrep_pipelines.common.config import FrozenConfig
from vidrep_pipelines.training import distributed
from vidrep_pipelines.training.task import Batch, FollowsUpdates, Metrics, StepInfo, Task, load_described


class Killed(BaseException):
    """Ends a process that trains alone, and that is the test's own."""


class MortalTask(FrozenConfig):
    """The task of a system; the last of several processes dies before an update."""

    system: str
    """Where the task's class is: ``"module:Class"``."""

    config: dict[str, Any]
    """Its fields, as JSON."""

    deaths: dict[int, int]
    """Number of processes -> updates that are done when the last one of them is killed."""

    @classmethod
    def of(cls, task: Any, deaths: dict[int, int]) -> "MortalTask":
        """Wraps ``task``."""
        where = f"{type(task).__module__}:{type(task).__qualname__}"
        return cls(system=where, config=task.model_dump(mode="json"), deaths=deaths)

    @cached_property
    def _task(self) -> Task[Any]:
        loaded: Task[Any] = load_described(self.system, self.config, "system", has="build_model")
        return loaded

    @property
    def name(self) -> str:
        return self._task.name

    @property
    def name_in_digests(self) -> str:
        return self._task.name_in_digests

    @property
    def samples_per_item(self) -> int:
        return self._task.samples_per_item

    def identity(self) -> dict[str, Any]:
        return self._task.identity()

    def checkpoint_config(self) -> dict[str, Any]:
        return self._task.checkpoint_config()

    def build_model(self) -> nn.Module:
        return self._task.build_model()

    def build_dataset(self) -> Dataset[Any]:
        return self._task.build_dataset()

    def item_names(self, indices: Sequence[int]) -> list[str]:
        return self._task.item_names(indices)

    def parameter_groups(self, model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
        return self._task.parameter_groups(model, weight_decay)

    def shard_units(self, model: nn.Module) -> list[nn.Module]:
        return self._task.shard_units(model)

    def loss(self, model: nn.Module, batch: Batch, step: StepInfo) -> tuple[Tensor, Metrics]:
        processes = distributed.world_size()
        if self.deaths.get(processes) == step.step and distributed.rank() == processes - 1:
            if processes == 1:
                raise Killed
            os.kill(os.getpid(), signal.SIGKILL)
        return self._task.loss(model, batch, step)

    def after_update(self, model: nn.Module, step: StepInfo) -> None:
        if isinstance(self._task, FollowsUpdates):
            self._task.after_update(model, step)

    def on_checkpoint(self, model: nn.Module, directory: Path, step: int) -> list[Path]:
        return []
