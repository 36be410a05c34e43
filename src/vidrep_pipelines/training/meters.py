"""Speed and memory of a run."""

import resource
import time
from collections.abc import Iterator
from typing import TypeVar

import torch

T = TypeVar("T")


class SpeedMeter:
    """Items per second, and the share of the time spent waiting for data, since the last reading."""

    def __init__(self) -> None:
        self._restart()

    def timed(self, batches: Iterator[T]) -> Iterator[T]:
        """Passes ``batches`` on and measures how long each took to come."""
        while True:
            before = time.perf_counter()
            try:
                batch = next(batches)
            except StopIteration:
                return
            self._waited += time.perf_counter() - before
            yield batch

    def count(self, items: int) -> None:
        """Records processed items."""
        self._items += items

    def read(self) -> dict[str, float]:
        """The figures since the last call."""
        seconds = max(time.perf_counter() - self._started, 1e-9)
        figures = {
            "speed/items_per_second": self._items / seconds,
            "speed/data_wait_fraction": self._waited / seconds,
        }
        self._restart()
        return figures

    def _restart(self) -> None:
        self._started, self._waited, self._items = time.perf_counter(), 0.0, 0


def peak_memory_gibibytes(device: torch.device) -> float:
    """Most memory used so far: of the device for CUDA, else of this process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**30
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
