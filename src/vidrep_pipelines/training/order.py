"""The order of the data: a pure function of (seed, step), whatever the number of processes."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from torch.utils.data import Sampler

from vidrep_pipelines.common.seeds import generator_for
from vidrep_pipelines.training.config import LaunchConfig, TrainConfig

ItemKey = tuple[int, int]
"""(epoch, index): what a data set is asked for."""


@dataclass(frozen=True)
class BatchPlan:
    """How the items of one update are spread over processes and their forward passes.

    They are cut in as many parts as there are forward passes of all processes, which differ by one item at
    most. No process may do a pass less than the others, as some losses need values of all of them: where
    there are fewer items than parts, the last ones have none of their own and repeat one with weight 0.
    """

    batch_size: int
    accumulation: int
    world_size: int

    @property
    def largest(self) -> int:
        """Items in the largest part."""
        return _quotient_upward(self.batch_size, self.accumulation * self.world_size)

    @property
    def idle_processes(self) -> int:
        """Processes that never have an item of their own."""
        return max(0, self.world_size - self.batch_size)

    def part(self, micro_step: int, rank: int) -> range:
        """Which of the items of an update a process has in one of its forward passes; may be none."""
        position = micro_step * self.world_size + rank
        size, larger = divmod(self.batch_size, self.accumulation * self.world_size)
        start = position * size + min(position, larger)
        return range(start, start + size + (position < larger))

    def taken(self, micro_step: int, rank: int) -> range:
        """The same; one that another part has, too, where it would be none."""
        part = self.part(micro_step, rank)
        repeated = rank % self.batch_size
        return part or range(repeated, repeated + 1)

    def share_of_update(self, micro_step: int, rank: int) -> float:
        """Weight of the mean over a part.

        The mean over the processes of their weighted sums is then the mean over all items.
        """
        return len(self.part(micro_step, rank)) * self.world_size / self.batch_size

    def share_of_pass(self, micro_step: int, rank: int) -> float:
        """The same for one forward pass of every process: 1 where their parts are equal."""
        sizes = [len(self.part(micro_step, other)) for other in range(self.world_size)]
        return sizes[rank] * self.world_size / sum(sizes)


def plan_batches(train: TrainConfig, launch: LaunchConfig, world_size: int) -> BatchPlan:
    """Derives the forward passes of an update from what a device holds and the number of processes."""
    most = launch.device_batch_size or train.batch_size
    return BatchPlan(train.batch_size, _quotient_upward(train.batch_size, most * world_size), world_size)


def _quotient_upward(numerator: int, denominator: int) -> int:
    return -(-numerator // denominator)


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
        for step in range(self._start, self._stop):
            epoch, indices = self._order.batch(step)
            for micro_step in range(self._plan.accumulation):
                part = self._plan.taken(micro_step, self._rank)
                yield [(epoch, int(index)) for index in indices[part.start : part.stop]]
