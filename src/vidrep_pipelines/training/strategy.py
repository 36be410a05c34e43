"""How several processes share one model: replicated (DDP) or sharded (FSDP2)."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.parallel import DistributedDataParallel

from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.training import distributed
from vidrep_pipelines.training.config import LaunchConfig, TrainConfig
from vidrep_pipelines.training.task import ChoosesCompiledUnits, TrainingStep


class SharedBatchNorm(_BatchNorm):
    """Like torch's batch norms, but in training mode its mean and variance are those of all processes.

    It does what :class:`torch.nn.SyncBatchNorm` does on GPUs only. The processes may have different numbers
    of samples.
    """

    def forward(self, values: Tensor) -> Tensor:
        """Normalizes (B, C, ...) by the mean and variance of each channel."""
        if not self.training or distributed.world_size() == 1:
            normalized: Tensor = super().forward(values)
            return normalized
        places = [0, *range(2, values.ndim)]
        numbers = values.to(torch.promote_types(values.dtype, torch.float32))  # also under autocast
        local_count = numbers.new_tensor([numbers.numel() / numbers.shape[1]])
        count = distributed.sum_across_ranks(local_count)
        mean = _sum(numbers.sum(places)) / count
        shape = [1, -1, *[1] * (values.ndim - 2)]
        centered = numbers - mean.view(shape)
        variance = _sum(centered.square().sum(places)) / count
        self._follow(mean.detach(), (variance * count / (count - 1)).detach())
        scale, offset = torch.rsqrt(variance + self.eps), torch.zeros_like(mean)
        if self.affine:
            scale, offset = scale * self.weight, self.bias
        return (centered * scale.view(shape) + offset.view(shape)).to(values.dtype)

    def _follow(self, mean: Tensor, variance: Tensor) -> None:
        """Moves the running statistics; the variance is the unbiased one, as torch's."""
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked.add_(1)
        share = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, share)
        self.running_var.lerp_(variance, share)

    def _check_input_dim(self, input: Tensor) -> None:
        """Any number of dimensions."""


class _SumAcrossRanks(torch.autograd.Function):
    """The sum over the processes, with gradient: each process's loss depends on everybody's values."""

    @staticmethod
    def forward(context: Any, values: Tensor) -> Tensor:
        return distributed.sum_across_ranks(values)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Tensor:
        return distributed.sum_across_ranks(gradient)


def _sum(values: Tensor) -> Tensor:
    total: Tensor = _SumAcrossRanks.apply(values)  # type: ignore[no-untyped-call]
    return total


def share_batch_norms(model: nn.Module) -> None:
    """Replaces the batch norms inside ``model``; their parameters and buffers stay the same objects."""
    for parent in list(model.modules()):
        for name, child in parent.named_children():
            if isinstance(child, _BatchNorm) and not isinstance(child, SharedBatchNorm):
                setattr(parent, name, _shared(child))


def _shared(original: _BatchNorm) -> SharedBatchNorm:
    shared = SharedBatchNorm(
        original.num_features,
        original.eps,
        original.momentum,
        original.affine,
        original.track_running_stats,
        device="meta",
    )
    shared._parameters, shared._buffers = original._parameters, original._buffers
    shared.training = original.training
    return shared


COMPILER_BACKEND = "inductor"
"""What compiles the graphs that ``torch.compile`` finds."""


def distribute(
    step: TrainingStep, train: TrainConfig, launch: LaunchConfig, device: torch.device
) -> nn.Module:
    """Moves the model to ``device`` and, with several processes, wraps it.

    Raises:
        ConfigurationError: float16 with FSDP2, or nothing to compile with.
    """
    if train.synchronized_batch_norm and distributed.world_size() > 1:
        _synchronize_batch_norms(step, device)
    step.to(device)
    if launch.compile:
        compile_units(step, device)
    if distributed.world_size() == 1:
        return step
    if launch.strategy == "ddp":
        return DistributedDataParallel(
            step,
            device_ids=[device] if device.type == "cuda" else None,
            gradient_as_bucket_view=True,
        )
    if train.precision == "fp16":
        raise ConfigurationError(
            "train.precision fp16 does not work with launch.strategy fsdp. Use bf16 or ddp."
        )
    return _shard(step, device)


def compile_units(step: TrainingStep, device: torch.device) -> None:
    """Lets the model's blocks be compiled when they are first called, wherever a loss calls them from.

    Compiling ``model.forward`` would do nothing for losses that put the model's parts together themselves.

    Raises:
        ConfigurationError: There is no compiler.
    """
    _check_compiler(device)
    task = step.task
    units_of = task.compiled_units if isinstance(task, ChoosesCompiledUnits) else task.shard_units
    for unit in units_of(step.model):
        unit.compile(backend=COMPILER_BACKEND)


def _check_compiler(device: torch.device) -> None:
    compilers = [os.environ["CXX"]] if os.environ.get("CXX") else ["g++", "clang++"]
    if not any(shutil.which(compiler) for compiler in compilers):
        raise ConfigurationError(
            f"launch.compile needs a C++ compiler, and there is no {' or '.join(compilers)}. Install one (on "
            "Debian and Ubuntu: apt install g++), or set launch.compile to false."
        )
    if device.type == "cuda" and find_spec("triton") is None:
        raise ConfigurationError(
            "launch.compile needs triton for CUDA devices, and it is not installed. Install it (pip install "
            "triton), or set launch.compile to false."
        )


def _synchronize_batch_norms(step: TrainingStep, device: torch.device) -> None:
    """Replaces the batch norms inside the model; their parameters stay the same objects."""
    if device.type == "cuda":
        nn.SyncBatchNorm.convert_sync_batchnorm(step.model)  # type: ignore[no-untyped-call]
    else:
        share_batch_norms(step.model)


def _shard(step: TrainingStep, device: torch.device) -> nn.Module:
    mesh = init_device_mesh(device.type, (distributed.world_size(),))
    for unit in step.task.shard_units(step.model):
        fully_shard(unit, mesh=mesh)
    fully_shard(step, mesh=mesh)
    return step


@contextmanager
def micro_step(module: nn.Module, *, last: bool) -> Iterator[None]:
    """Gradients are exchanged in the last micro-step of an update only."""
    if isinstance(module, FSDPModule):
        module.set_requires_gradient_sync(last)
        yield
    elif isinstance(module, DistributedDataParallel) and not last:
        with module.no_sync():
            yield
    else:
        yield
