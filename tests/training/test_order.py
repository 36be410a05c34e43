import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.training.config import LaunchConfig, TrainConfig
from vidrep_pipelines.training.order import BatchPlan, DataOrder, RankBatches, plan_batches

_PLANS = st.builds(BatchPlan, st.integers(1, 4), st.integers(1, 3), st.integers(1, 3))


def _global_batches(order: DataOrder, plan: BatchPlan, start: int, stop: int) -> list[list[tuple[int, int]]]:
    """The items of each update, put together from all processes."""
    ranks = [list(RankBatches(order, plan, rank, start, stop)) for rank in range(plan.world_size)]
    return [
        [
            key
            for micro in range(plan.accumulation)
            for rank in ranks
            for key in rank[step * plan.accumulation + micro]
        ]
        for step in range(stop - start)
    ]


@given(_PLANS, st.integers(0, 30), st.integers(0, 5), st.integers(0, 2**40))
def test_the_split_does_not_change_the_batches(plan: BatchPlan, extra: int, start: int, seed: int) -> None:
    order = DataOrder(plan.batch_size + extra, plan.batch_size, seed)
    together = BatchPlan(plan.batch_size, 1, 1)
    assert _global_batches(order, plan, start, start + 4) == _global_batches(
        order, together, start, start + 4
    )


@given(_PLANS, st.integers(0, 30), st.integers(0, 3))
def test_an_epoch_takes_no_item_twice(plan: BatchPlan, extra: int, epoch: int) -> None:
    order = DataOrder(plan.batch_size + extra, plan.batch_size, 5)
    start = epoch * order.steps_per_epoch
    keys = [
        key for batch in _global_batches(order, plan, start, start + order.steps_per_epoch) for key in batch
    ]
    assert {key[0] for key in keys} == {epoch}
    assert len(set(keys)) == len(keys) == order.steps_per_epoch * plan.batch_size
    assert all(0 <= index < order.items for _, index in keys)


@given(st.integers(0, 10), st.integers(0, 10))
def test_starting_late_continues_the_same_sequence(first: int, more: int) -> None:
    plan = BatchPlan(2, 2, 2)
    whole = list(RankBatches(DataOrder(19, 8, 1), plan, 1, 0, first + more))
    rest = RankBatches(DataOrder(19, 8, 1), plan, 1, first, first + more)
    assert list(rest) == whole[first * 2 :]
    assert len(rest) == more * 2


def test_epochs_and_seeds_differ() -> None:
    order = DataOrder(100, 10, 0)
    first = order.permutation(0).copy()
    assert not np.array_equal(first, order.permutation(1))
    assert not np.array_equal(first, DataOrder(100, 10, 1).permutation(0))
    assert np.array_equal(np.sort(first), np.arange(100))


def test_accumulation_is_derived() -> None:
    train = TrainConfig(steps=1, batch_size=24)
    assert plan_batches(train, LaunchConfig(), 2) == BatchPlan(12, 1, 2)
    assert plan_batches(train, LaunchConfig(device_batch_size=4), 2) == BatchPlan(4, 3, 2)


@pytest.mark.parametrize(("device_batch_size", "world_size"), [(5, 1), (None, 7), (None, 25), (24, 2)])
def test_uneven_split_is_refused(device_batch_size: int | None, world_size: int) -> None:
    launch = LaunchConfig(device_batch_size=device_batch_size)
    with pytest.raises(
        ConfigurationError, match=r"train\.batch_size = 24.*launch\.device_batch_size.*processes"
    ):
        plan_batches(TrainConfig(steps=1, batch_size=24), launch, world_size)
