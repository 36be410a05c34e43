"""The order of the data: a pure function of (seed, step), whatever the number of processes."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from torch.utils.data import Sampler

from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.common.seeds import generator_for
from vidrep_pipelines.training.config import LaunchConfig, TrainConfig

ItemKey = tuple[int, int]
"""(epoch, index): what a data set is asked for."""


@dataclass(frozen=True)
class BatchPlan:
    """How the items of one update are spread: ``device_batch_size * accumulation * world_size`` of them."""

    device_batch_size: int
    accumulation: int
    world_size: int

    @property
    def batch_size(self) -> int:
        """Items per update."""
        return self.device_batch_size * self.accumulation * self.world_size


def plan_batches(train: TrainConfig, launch: LaunchConfig, world_size: int) -> BatchPlan:
    """Derives the accumulation.

    Raises:
        ConfigurationError: The batch does not divide evenly.
    """
    device_batch_size = launch.device_batch_size or max(1, train.batch_size // world_size)
    accumulation = train.batch_size // (device_batch_size * world_size)
    if device_batch_size * accumulation * world_size != train.batch_size:
        raise ConfigurationError(
            f"train.batch_size = {train.batch_size} is not a multiple of launch.device_batch_size "
            f"({device_batch_size}) times the number of processes (launch.processes, here {world_size}). "
            "Change one of the three; launch.device_batch_size: null avoids accumulation."
        )
    return BatchPlan(device_batch_size, accumulation, world_size)


class DataOrder:
    """Shuffles the data anew in every epoch and cuts it into global batches, dropping the incomplete one.

    Args:
        items: Size of the data set.
        batch_size: Items per update.
        seed: Seed of the shuffling.
    """

    def __init__(self, items: int, batch_size: int, seed: int) -> None:
        self.items, self.batch_size, self._seed = items, batch_size, seed
        self.steps_per_epoch = items // batch_size
        self._epoch, self._permutation = -1, np.empty(0, np.int64)

    def permutation(self, epoch: int) -> npt.NDArray[np.int64]:
        """(items,) order of ``epoch``. The latest one is kept: 80 MB for ten million items."""
        if epoch != self._epoch:
            self._permutation = generator_for("order", self._seed, epoch).permutation(self.items)
            self._epoch = epoch
        return self._permutation

    def batch(self, step: int) -> tuple[int, npt.NDArray[np.int64]]:
        """The epoch, and the (batch_size,) indices of the update that follows ``step`` earlier ones."""
        epoch, position = divmod(step, self.steps_per_epoch)
        start = position * self.batch_size
        return epoch, self.permutation(epoch)[start : start + self.batch_size]


class RankBatches(Sampler[list[ItemKey]]):
    """One process's micro-batches from ``start_step`` to ``stop_step``, straight over epoch boundaries.

    A single data loader therefore serves the whole run, and its workers never restart.

    Args:
        order: The global order.
        plan: How a global batch is spread.
        rank: This process.
        start_step: First update.
        stop_step: Update after the last one.
    """

    def __init__(self, order: DataOrder, plan: BatchPlan, rank: int, start_step: int, stop_step: int) -> None:
        self._order, self._plan, self._rank = order, plan, rank
        self._start, self._stop = start_step, stop_step

    def __len__(self) -> int:
        return (self._stop - self._start) * self._plan.accumulation

    def __iter__(self) -> Iterator[list[ItemKey]]:
        size, world_size = self._plan.device_batch_size, self._plan.world_size
        for step in range(self._start, self._stop):
            epoch, indices = self._order.batch(step)
            for micro_step in range(self._plan.accumulation):
                first = (micro_step * world_size + self._rank) * size
                yield [(epoch, int(index)) for index in indices[first : first + size]]
