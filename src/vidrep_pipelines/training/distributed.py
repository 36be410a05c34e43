"""Several training processes, or just one: the same calls work for both."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.training.config import LaunchConfig
from vidrep_pipelines.training.place import Place


def rank() -> int:
    """Number of this process among all, from 0."""
    return dist.get_rank() if dist.is_initialized() else 0


def world_size() -> int:
    """Number of processes."""
    return dist.get_world_size() if dist.is_initialized() else 1


def is_main() -> bool:
    """Whether this is the process that writes files and logs."""
    return rank() == 0


def barrier() -> None:
    """Waits until every process is here."""
    if world_size() > 1:
        dist.barrier()


def sum_across_ranks(values: Tensor) -> Tensor:
    """Sum over the processes, without gradient."""
    total = values.detach().clone()
    if world_size() > 1:
        dist.all_reduce(total)
    return total


def mean_across_ranks(values: Tensor) -> Tensor:
    """Mean over the processes, without gradient."""
    return sum_across_ranks(values) / world_size()


def gather_across_ranks(values: Tensor) -> Tensor:
    """Concatenates the tensors of all processes, in the order of ranks; without gradient.

    Args:
        values: (N, ...), with an N that may differ from process to process.
    """
    if world_size() == 1:
        return values.detach()
    lengths = torch.cat(_gathered(torch.tensor([len(values)], device=values.device))).tolist()
    padded = values.new_zeros((max(lengths), *values.shape[1:]))
    padded[: len(values)] = values.detach()
    return torch.cat([part[:length] for part, length in zip(_gathered(padded), lengths, strict=True)])


def _gathered(values: Tensor) -> list[Tensor]:
    parts = [torch.empty_like(values) for _ in range(world_size())]
    dist.all_gather(parts, values)
    return parts


def gather_objects(value: Any) -> list[Any]:
    """The small picklable value of every process, in the order of ranks."""
    gathered: list[Any] = [value]
    if world_size() > 1:
        gathered *= world_size()
        dist.all_gather_object(gathered, value)
    return gathered


def from_main(value: Any) -> Any:
    """The main process's small picklable value, on every process."""
    return gather_objects(value)[0]


def choose_device(launch: LaunchConfig, local_rank: int = 0) -> torch.device:
    """The device of this process.

    Args:
        launch: The kind of device that is wanted.
        local_rank: Number of this process among those of this machine.

    Raises:
        ConfigurationError: CUDA was asked for and is missing, or has fewer devices than processes.
    """
    available = torch.cuda.is_available()
    if launch.device == "cpu" or (launch.device == "auto" and not available):
        return torch.device("cpu")
    if not available:
        raise ConfigurationError(
            "launch.device is cuda, but torch finds no CUDA device. Set it to auto or cpu."
        )
    if local_rank >= torch.cuda.device_count():
        raise ConfigurationError(
            "launch.processes asks for more processes than there are CUDA devices "
            f"({torch.cuda.device_count()}). Lower launch.processes, or set launch.device to cpu."
        )
    return torch.device("cuda", local_rank)


@contextmanager
def process_group(device: torch.device, place: Place) -> Iterator[None]:
    """Joins the other processes of the run; a lone process joins nothing."""
    if place.world_size == 1 or dist.is_initialized():
        yield
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    dist.init_process_group(
        "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo",
        init_method=place.meeting_point,
        rank=place.rank,
        world_size=place.world_size,
    )
    yield
    dist.destroy_process_group()  # not after an error: a peer may be gone, and this would wait for it


@contextmanager
def arithmetic_threads(launch: LaunchConfig, local_processes: int = 1) -> Iterator[None]:
    """Sets torch's threads to this process's share of the cores, and back afterwards."""
    before = torch.get_num_threads()
    threads = launch.threads_per_process
    if threads is None:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        threads = before if local_processes == 1 else max(1, cores // local_processes)
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
