"""How several processes share one model: replicated (DDP) or sharded (FSDP2)."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.nn.parallel import DistributedDataParallel

from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.training import distributed
from vidrep_pipelines.training.batch_norm import share_batch_norms
from vidrep_pipelines.training.config import LaunchConfig, TrainConfig
from vidrep_pipelines.training.task import TrainingStep


def distribute(
    step: TrainingStep, train: TrainConfig, launch: LaunchConfig, device: torch.device
) -> nn.Module:
    """Moves the model to ``device`` and, with several processes, wraps it.

    Raises:
        ConfigurationError: float16 with FSDP2.
    """
    if train.synchronized_batch_norm and distributed.world_size() > 1:
        _synchronize_batch_norms(step, device)
    step.to(device)
    if launch.compile:
        step.model.compile()
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
