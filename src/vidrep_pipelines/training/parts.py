"""The pieces of a training run that change while it runs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn

from vidrep_pipelines.common.seeds import seed_for
from vidrep_pipelines.training.config import TrainSpec
from vidrep_pipelines.training.optimizer import build_optimizer
from vidrep_pipelines.training.precision import gradient_scaler
from vidrep_pipelines.training.strategy import distribute
from vidrep_pipelines.training.task import LeavesWeightsOut, Task, TrainingStep


class ExponentialMovingAverage:
    """``average <- decay * average + (1 - decay) * weight`` for every trainable parameter, in float32.

    Args:
        model: The model, already moved to its device and sharded.
        decay: Decay of the averages, in (0, 1), for example 0.999.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self._average = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
        self._parameters = {
            name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad
        }
        self._averages = {name: value.detach().clone() for name, value in self._parameters.items()}

    @torch.no_grad()
    def update(self) -> None:
        """Takes the current weights into the average."""
        self._average(list(self._averages.values()), list(self._parameters.values()), 0)

    def full_state(self) -> dict[str, Tensor]:
        """The averages by parameter name, unsharded and on the CPU. Every process must call this."""
        return {name: _full(value).cpu() for name, value in self._averages.items()}

    @torch.no_grad()
    def load(self, state: Mapping[str, Tensor]) -> None:
        """Takes over averages saved by :meth:`full_state`; further entries are ignored."""
        for name, average in self._averages.items():
            average.copy_(_like(state[name], average))


def _full(value: Tensor) -> Tensor:
    return value.full_tensor() if isinstance(value, DTensor) else value


def _like(value: Tensor, example: Tensor) -> Tensor:
    """``value`` on the device of ``example``, sharded as it is."""
    value = value.to(example.device)
    if isinstance(example, DTensor):
        return distribute_tensor(value, example.device_mesh, example.placements)
    return value


@dataclass(frozen=True)
class TrainingParts:
    """Model, optimizer and what else a checkpoint must hold.

    Attributes:
        model: The system's model, with the system's own parameter names.
        module: The same inside :class:`TrainingStep`, wrapped for several processes.
        optimizer: Over the task's parameter groups.
        scaler: Loss scaler; switched off unless training in float16.
        average: Moving average of the weights, if wanted.
        device: Where everything is.
        left_out: Names of weights that checkpoints do without.
    """

    model: nn.Module
    module: nn.Module
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    average: ExponentialMovingAverage | None
    device: torch.device
    left_out: frozenset[str] = frozenset()


def build_parts(spec: TrainSpec, task: Task[Any], device: torch.device) -> TrainingParts:
    """Builds everything in its initial state, which depends on ``train.seed`` and not on the process."""
    train = spec.train
    torch.manual_seed(seed_for("model", train.seed))
    model = task.build_model()
    module = distribute(TrainingStep(task, model), train, spec.launch, device)
    groups = task.parameter_groups(model, train.optimizer.weight_decay)
    return TrainingParts(
        model=model,
        module=module,
        optimizer=build_optimizer(groups, train.optimizer, device),
        scaler=gradient_scaler(device, train.precision),
        average=None if train.ema_decay is None else ExponentialMovingAverage(model, train.ema_decay),
        device=device,
        left_out=task.left_out(model) if isinstance(task, LeavesWeightsOut) else frozenset(),
    )
