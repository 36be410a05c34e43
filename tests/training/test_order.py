import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidrep_pipelines.training.config import LaunchConfig, TrainConfig
from vidrep_pipelines.training.order import BatchPlan, DataOrder, RankBatches, plan_batches

_PLANS = st.builds(
    lambda batch, most, processes: plan_batches(
        TrainConfig(steps=1, batch_size=batch), LaunchConfig(device_batch_size=most), processes
    ),
    st.integers(1, 24),
    st.none() | st.integers(1, 5),
    st.integers(1, 9),
)


def _global_batches(order: DataOrder, plan: BatchPlan, start: int, stop: int) -> list[list[tuple[int, int]]]:
    """The items of each update, put together from all processes."""
    ranks = [list(RankBatches(order, plan, rank, start, stop)) for rank in range(plan.world_size)]
    return [
        [
            key
            for micro in range(plan.accumulation)
            for number, rank in enumerate(ranks)
            for key in rank[step * plan.accumulation + micro]
            if plan.share_of_update(micro, number) > 0
        ]
        for step in range(stop - start)
    ]


@given(_PLANS, st.integers(0, 30), st.integers(0, 5), st.integers(0, 2**40))
def test_the_split_does_not_change_the_batches(plan: BatchPlan, extra: int, start: int, seed: int) -> None:
    order = DataOrder(plan.batch_size + extra, plan.batch_size, seed)
    together = BatchPlan(plan.batch_size, accumulation=1, world_size=1)
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
    plan = BatchPlan(8, accumulation=2, world_size=2)
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
    assert plan_batches(train, LaunchConfig(), 2) == BatchPlan(24, 1, 2)
    assert plan_batches(train, LaunchConfig(device_batch_size=4), 2) == BatchPlan(24, 3, 2)
    assert plan_batches(train, LaunchConfig(device_batch_size=5), 2) == BatchPlan(24, 3, 2)


@given(_PLANS)
def test_every_item_weighs_alike_on_any_number_of_processes(plan: BatchPlan) -> None:
    ranks, passes = range(plan.world_size), range(plan.accumulation)
    for micro in passes:
        parts = [plan.part(micro, rank) for rank in ranks]
        assert sum(plan.share_of_pass(micro, rank) for rank in ranks) == pytest.approx(plan.world_size)
        assert max(map(len, parts)) - min(map(len, parts)) <= 1
        for rank in ranks:
            size, taken = len(parts[rank]), plan.taken(micro, rank)
            weight = plan.share_of_update(micro, rank) / plan.world_size
            assert weight == pytest.approx(size / plan.batch_size)
            assert taken == parts[rank] if size else len(taken) == 1 and taken.stop <= plan.batch_size


def test_devices_hold_what_they_are_given() -> None:
    for batch_size, most, processes in ((720, 64, 7), (1, None, 8), (3, 1, 2), (48, 6, 5)):
        train, launch = TrainConfig(steps=1, batch_size=batch_size), LaunchConfig(device_batch_size=most)
        plan = plan_batches(train, launch, processes)
        assert plan.largest <= (most or batch_size)
        assert (plan.accumulation - 1) * (most or batch_size) * processes < batch_size
    assert (plan_batches(TrainConfig(steps=1, batch_size=1), LaunchConfig(), 8).idle_processes) == 7
