"""How several processes share one model: replicated (DDP) or sharded (FSDP2)."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

import torch
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.nn.parallel import DistributedDataParallel

from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.training import distributed
from vidrep_pipelines.training.batch_norm import share_batch_norms
from vidrep_pipelines.training.config import LaunchConfig, TrainConfig
from vidrep_pipelines.training.task import ChoosesCompiledUnits, TrainingStep

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
    chosen = task.compiled_units if isinstance(task, ChoosesCompiledUnits) else task.shard_units
    for unit in chosen(step.model):
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
