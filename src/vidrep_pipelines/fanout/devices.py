"""On which devices items are computed, and by how many workers: one policy for every extraction."""

import heapq
from collections.abc import Iterable

import torch

from vidrep_pipelines.fanout.config import FanOutConfig


def workers_for_device(fanout: FanOutConfig, device: str) -> FanOutConfig:
    """One worker per GPU where there are any, for one per core would only fill their memory.

    Args:
        fanout: A number of workers that is given there stays.
        device: ``cpu``, or ``cuda`` for all GPUs of the machine.
    """
    if device != "cuda" or fanout.workers is not None:
        return fanout
    return fanout.model_copy(update={"workers": torch.cuda.device_count()})


def gpus_to_use(device: str) -> int:
    """How many GPUs of the machine items are dealt to: none for ``cpu``, else all that there are."""
    return 0 if device == "cpu" else torch.cuda.device_count()


def limited_to_gpus(fanout: FanOutConfig, gpus: int, each: int) -> FanOutConfig:
    """At most so many workers for each GPU; without GPUs as it is.

    Args:
        fanout: A smaller number of workers that is given there stays.
        gpus: How many GPUs work.
        each: Workers of a GPU.
    """
    if gpus == 0:
        return fanout
    limit = gpus * each
    return fanout.model_copy(update={"workers": min(fanout.workers or limit, limit)})


def device_of_item(device: str, number: int) -> str:
    """Deals items of per-item work to the machine's GPUs in turn.

    Args:
        device: Type of the device; the CPU stays what it is.
        number: The item's number, from 0.
    """
    return f"cuda:{number % torch.cuda.device_count()}" if device == "cuda" else device


def dealt_by_size(sizes: Iterable[int], devices: int) -> list[int]:
    """Numbers of devices for items of known size: each goes to the one that has least to do so far.

    Largest first, this comes close to equal work for all (Graham 1969).

    Args:
        sizes: How much work each item is, in the order in which they are started.
        devices: How many there are.
    """
    loads = [(0, number) for number in range(devices)]
    dealt = []
    for size in sizes:
        load, number = heapq.heappop(loads)
        heapq.heappush(loads, (load + size, number))
        dealt.append(number)
    return dealt


def devices_of_machine(device: str) -> list[str]:
    """All devices of a type, such as ``cuda:0`` and ``cuda:1``; the CPU is one."""
    return [f"cuda:{number}" for number in range(torch.cuda.device_count())] if device == "cuda" else [device]
