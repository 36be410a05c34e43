"""The pieces of a training run that change while it runs."""

from dataclasses import dataclass

import torch
from torch import nn

from vidrep_pipelines.common.seeds import seed_for
from vidrep_pipelines.training.config import TrainSpec
from vidrep_pipelines.training.ema import ExponentialMovingAverage
from vidrep_pipelines.training.optimizer import build_optimizer
from vidrep_pipelines.training.precision import gradient_scaler
from vidrep_pipelines.training.strategy import distribute
from vidrep_pipelines.training.task import Task, TrainingStep


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
    """

    model: nn.Module
    module: nn.Module
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    average: ExponentialMovingAverage | None
    device: torch.device


def build_parts(spec: TrainSpec, task: Task, device: torch.device) -> TrainingParts:
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
    )
