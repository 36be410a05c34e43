"""One update of the weights."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.distributed.tensor import DTensor
from torch.nn.utils import clip_grads_with_norm_, get_total_norm

from vidrep_pipelines.common.seeds import seed_for
from vidrep_pipelines.training import distributed
from vidrep_pipelines.training.config import TrainConfig
from vidrep_pipelines.training.errors import NonFiniteLossError
from vidrep_pipelines.training.optimizer import set_learning_rate
from vidrep_pipelines.training.order import BatchPlan
from vidrep_pipelines.training.parts import TrainingParts
from vidrep_pipelines.training.precision import autocast
from vidrep_pipelines.training.schedule import Schedule
from vidrep_pipelines.training.strategy import micro_step
from vidrep_pipelines.training.task import FollowsUpdates, Metrics, StepInfo, Task

_SMALLEST_SCALE = 2.0**-24


@dataclass(frozen=True)
class UpdateOutcome:
    """What an update did, averaged over the global batch.

    Attributes:
        loss: Mean loss.
        learning_rate: Rate used.
        gradient_norm: Before clipping.
        skipped: Whether the gradient overflowed in float16, so that the weights stayed as they were.
        stop: Whether any process was asked to stop.
        metrics: The task's metrics of this process, not yet averaged over the others.
    """

    loss: float
    learning_rate: float
    gradient_norm: float
    skipped: bool
    stop: bool
    metrics: Metrics


class Updater:
    """Accumulates the gradient of one global batch and applies it.

    Args:
        task: Names items in errors.
        train: Precision, clipping, seed.
        parts: What is trained.
        schedule: Learning rate by step.
        plan: How a global batch is spread.
    """

    def __init__(
        self, task: Task[Any], train: TrainConfig, parts: TrainingParts, schedule: Schedule, plan: BatchPlan
    ) -> None:
        self._task, self._train, self._parts, self._schedule, self._plan = task, train, parts, schedule, plan
        passes = range(plan.accumulation)
        self._shares = [plan.share_of_update(number, distributed.rank()) for number in passes]

    def run(
        self, step: int, batches: Iterator[Mapping[str, Any]], stop_requested: Callable[[], bool]
    ) -> UpdateOutcome:
        """Performs the update that follows ``step`` earlier ones.

        Args:
            step: Updates done so far.
            batches: Gives this process's next micro-batches, on the CPU.
            stop_requested: Whether this process was asked to stop; the outcome says whether any was.

        Raises:
            NonFiniteLossError: On every process, when the loss or gradient of any is not finite.
        """
        rate = self._schedule.learning_rate(step)
        set_learning_rate(self._parts.optimizer, rate, self._schedule.base)
        info = StepInfo(
            step, self._schedule.epoch(step), distributed.mean_across_ranks, distributed.gather_across_ranks
        )
        losses, names, metrics = [], [], list[Metrics]()
        for number in range(self._plan.accumulation):
            batch = next(batches)
            names.append(batch["index"])
            loss, values = self._backward(batch, info, number)
            losses.append(loss)
            metrics.append(values)
        norm = self._gradient_norm()
        loss_mean, stop = self._agree(step, torch.stack(losses), norm, names, stop=stop_requested())
        skipped = self._apply()
        if isinstance(self._task, FollowsUpdates):
            self._task.after_update(self._parts.model, info)
        return UpdateOutcome(loss_mean, rate, float(norm), skipped, stop, _mean_of(metrics, self._shares))

    def _backward(self, batch: Mapping[str, Any], info: StepInfo, number: int) -> tuple[Tensor, Metrics]:
        """Adds the gradient of one micro-batch; returns its detached loss and metrics."""
        parts, rank = self._parts, distributed.rank()
        position = number * self._plan.world_size + rank
        torch.manual_seed(seed_for("step", self._train.seed, info.step, position))
        mean_over_items = partial(_mean_over_items, self._plan.share_of_pass(number, rank))
        with micro_step(parts.module, last=number == self._plan.accumulation - 1):
            with autocast(parts.device, self._train.precision):
                here = replace(info, mean_across_ranks=mean_over_items)
                loss, metrics = parts.module(move_to(batch, parts.device), here)
            weight = self._shares[number] * self._train.summed_batches
            parts.scaler.scale(loss * weight).backward()
        return loss.detach().float(), metrics

    def _gradient_norm(self) -> Tensor:
        """Euclidean norm over all gradients, which are clipped to the permitted length."""
        parts = self._parts
        parts.scaler.unscale_(parts.optimizer)
        trainable = [parameter for parameter in parts.model.parameters() if parameter.grad is not None]
        norm = get_total_norm([parameter.grad for parameter in trainable if parameter.grad is not None])
        if isinstance(norm, DTensor):
            norm = norm.full_tensor()
        if self._train.clip_gradient_norm is not None:
            clip_grads_with_norm_(trainable, self._train.clip_gradient_norm, norm)
        return norm

    def _agree(
        self, step: int, losses: Tensor, norm: Tensor, names: list[Tensor], *, stop: bool
    ) -> tuple[float, bool]:
        """One exchange between all processes: mean loss, anything not finite, anybody asked to stop."""
        bad_gradient = ~torch.isfinite(norm).to(losses.device) & (not self._parts.scaler.is_enabled())
        figures = torch.stack([
            (losses.double() * losses.new_tensor(self._shares, dtype=torch.float64)).sum(),
            (~torch.isfinite(losses)).sum().double(),
            bad_gradient.double(),
            losses.new_tensor(float(stop)).double(),
        ])  # fmt: skip
        loss, bad_losses, bad_gradients, stops = distributed.mean_across_ranks(figures).tolist()
        if bad_losses or bad_gradients:
            self._refuse(step, losses, names, what="loss" if bad_losses else "gradient")
        return loss, stops > 0

    def _refuse(self, step: int, losses: Tensor, names: list[Tensor], what: str) -> None:
        bad = ~torch.isfinite(losses).cpu() if what == "loss" else torch.ones(len(names), dtype=torch.bool)
        indices = [int(index) for batch, is_bad in zip(names, bad, strict=True) if is_bad for index in batch]
        every_rank = distributed.gather_objects(self._task.item_names(indices))
        items = ", ".join(name for one_rank in every_rank for name in one_rank)
        raise NonFiniteLossError(
            f"The {what} is not finite in update {step + 1}, which was not applied. Items of the batch: "
            f"{items}. Look at these items; else lower the learning rate, set train.clip_gradient_norm, "
            "or use train.precision fp32."
        )

    def _apply(self) -> bool:
        """Lets the optimizer step; returns whether it was skipped because of an overflow."""
        parts = self._parts
        before = parts.scaler.get_scale()
        parts.scaler.step(parts.optimizer)
        parts.scaler.update()
        parts.optimizer.zero_grad()
        skipped = parts.scaler.get_scale() < before
        if skipped and before < _SMALLEST_SCALE:
            raise NonFiniteLossError(
                "The gradient overflows float16 at every loss scale. Use train.precision bf16 or fp32."
            )
        if parts.average is not None and not skipped:
            parts.average.update()
        return skipped


def move_to(batch: Any, device: torch.device) -> Any:
    """Copies the tensors in a nest of mappings and lists to ``device``."""
    if isinstance(batch, Tensor):
        return batch.to(device, non_blocking=True)
    if isinstance(batch, Mapping):
        return {name: move_to(value, device) for name, value in batch.items()}
    if isinstance(batch, list | tuple):
        return [move_to(value, device) for value in batch]
    return batch


def _mean_over_items(share: float, values: Tensor) -> Tensor:
    return distributed.mean_across_ranks(values * share)


def _mean_of(metrics: list[Metrics], shares: list[float]) -> Metrics:
    """Sums of the metrics of forward passes, of which each has its share of the update."""
    weighted = [
        {name: value.detach() * share for name, value in values.items()}
        for values, share in zip(metrics, shares, strict=True)
    ]
    return {name: torch.stack([values[name] for values in weighted]).sum() for name in metrics[0]}
