import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.training.config import OptimizerConfig, TrainConfig, TriStageConfig
from vidrep_pipelines.training.schedule import learning_rate, plan_schedule, scaled_learning_rate


def test_published_learning_rate() -> None:
    assert scaled_learning_rate(1.5e-4, 1536) == pytest.approx(9e-4)


@pytest.mark.parametrize(
    ("epoch", "expected"),
    [(0, 0.0), (10, 0.5), (20, 1.0), (65, 0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi / 4))), (200, 0.1)],
)
def test_warm_up_then_half_a_cosine(epoch: float, expected: float) -> None:
    rate = learning_rate(epoch, base=1.0, minimum=0.1, epochs=200, warmup_epochs=20)
    assert rate == pytest.approx(expected)


@given(st.floats(0, 50), st.floats(0, 50))
def test_rate_falls_after_the_warm_up_and_stays_in_range(first: float, second: float) -> None:
    early, late = sorted([first, second])
    rates = [learning_rate(e, base=1.0, minimum=0.2, epochs=50, warmup_epochs=5) for e in (early, late)]
    assert all(0 <= rate <= 1 for rate in rates)
    assert early < 5 or rates[0] >= rates[1] - 1e-12 >= 0.2 - 1e-9


def test_published_epochs_count_samples() -> None:
    schedule = plan_schedule(TrainConfig(epochs=400, batch_size=10), items=105, samples_per_item=2)
    assert (schedule.steps_per_epoch, schedule.steps, schedule.warmup_epochs) == (10, 2000, 20)
    assert schedule.learning_rate(200) == schedule.base == scaled_learning_rate(1.5e-4, 10)


def test_a_cosine_may_be_laid_out_over_more_than_the_run() -> None:
    """The published VOC stops after half of it: at 1.62e-4 of 3e-4."""

    def planned(steps: int, **own: Any) -> Any:
        optimizer = OptimizerConfig(learning_rate=3e-4, warmup_steps=5000, **own)
        return plan_schedule(TrainConfig(steps=steps, batch_size=1, optimizer=optimizer), 10, 1)

    half, whole = planned(50_000, schedule_steps=100_000), planned(100_000)
    for step in (0, 100, 5000, 30_000, 50_000):
        assert half.learning_rate(step) == whole.learning_rate(step)
    assert half.learning_rate(50_000) == pytest.approx(1.62e-4, rel=5e-3) and half.steps == 50_000
    with pytest.raises(ValueError, match="schedule_steps needs schedule: cosine"):
        OptimizerConfig(schedule="constant", schedule_steps=10)


def test_length_in_steps() -> None:
    train = TrainConfig(steps=7, batch_size=4, optimizer=OptimizerConfig(warmup_steps=2, learning_rate=0.5))
    schedule = plan_schedule(train, items=9, samples_per_item=3)
    assert schedule.steps == 7
    assert [schedule.learning_rate(step) for step in (0, 1, 2)] == [0.0, 0.25, 0.5]
    assert 0 < schedule.learning_rate(6) < schedule.learning_rate(3)


@pytest.mark.parametrize(
    ("train", "message"),
    [
        (TrainConfig(steps=100, batch_size=64), r"10 items.*train\.batch_size = 64.*at most 10"),
        (TrainConfig(epochs=1, batch_size=2), r"train\.epochs = 1"),
        (TrainConfig(epochs=4, batch_size=2), r"train\.optimizer\.warmup_epochs"),
    ],
)
def test_senseless_lengths_are_refused(train: TrainConfig, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        plan_schedule(train, items=10, samples_per_item=2)


def test_a_rate_per_epoch_is_constant_within_it_and_never_reaches_its_end() -> None:
    optimizer = OptimizerConfig(learning_rate=1.0, warmup_epochs=0, rate_changes="every_epoch")
    schedule = plan_schedule(
        TrainConfig(epochs=4, batch_size=2, optimizer=optimizer), items=6, samples_per_item=1
    )
    rates = [schedule.learning_rate(step) for step in range(schedule.steps)]
    expected = [0.5 * (1 + math.cos(math.pi * epoch / 5)) for epoch in range(4)]
    assert rates == pytest.approx([rate for rate in expected for _ in range(3)])


@pytest.mark.parametrize("changes", ["every_update", "every_epoch"])
def test_warm_up_starts_where_configured_and_a_constant_rate_stays(changes: Any) -> None:
    optimizer = OptimizerConfig(
        learning_rate=1.0,
        warmup_epochs=3,
        warmup_learning_rate=0.4,
        schedule="constant",
        rate_changes=changes,
    )
    schedule = plan_schedule(
        TrainConfig(epochs=9, batch_size=1, optimizer=optimizer), items=1, samples_per_item=1
    )
    rates = [schedule.learning_rate(step) for step in range(9)]
    assert rates[0] == pytest.approx(0.4) and rates[3:] == [1.0] * 6
    assert rates[1] == pytest.approx(0.6 if changes == "every_update" else 0.7)


def _tri_stage(steps: int, **stages: Any) -> TrainConfig:
    optimizer = OptimizerConfig(learning_rate=1.0, schedule="tri_stage", tri_stage=TriStageConfig(**stages))
    return TrainConfig(steps=steps, batch_size=1, optimizer=optimizer)


def test_three_stages_rise_stay_and_fall() -> None:
    schedule = plan_schedule(_tri_stage(20, shares=(0.2, 0.3, 0.45)), items=1, samples_per_item=1)
    rates = [schedule.learning_rate(step) for step in range(21)]
    assert rates[:5] == pytest.approx([0.1, 0.325, 0.55, 0.775, 1.0])
    assert rates[4:11] == [1.0] * 7
    assert rates[10:20] == pytest.approx([0.5 * (1 + math.cos(math.pi * n / 9)) for n in range(10)], abs=1e-6)
    assert rates[19:] == pytest.approx([1e-6, 1e-6])


def test_a_stage_can_be_left_out() -> None:
    schedule = plan_schedule(_tri_stage(10, shares=(0.0, 1.0, 0.0)), items=1, samples_per_item=1)
    assert [schedule.learning_rate(step) for step in range(10)] == [1.0] * 10
    assert schedule.learning_rate(10) == 1e-6
    falling = plan_schedule(_tri_stage(10, shares=(0.0, 0.0, 1.0)), items=1, samples_per_item=1)
    assert falling.learning_rate(0) == 1.0 and falling.learning_rate(10) == pytest.approx(1e-6)


@pytest.mark.parametrize("shares", [(0.5, 0.6, 0.1), (-0.1, 0.5, 0.5), (0.0, 0.0, 0.0)])
def test_stages_that_are_no_parts_of_a_run_are_refused(shares: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="parts of a run"):
        TriStageConfig(shares=shares)
    with pytest.raises(ValueError, match="every update"):
        OptimizerConfig(schedule="tri_stage", rate_changes="every_epoch")


def test_stages_that_are_not_used_are_in_no_digest() -> None:
    assert "tri_stage" not in TrainConfig(steps=1).identity()["optimizer"]
    described = _tri_stage(3).identity()["optimizer"]
    assert described["tri_stage"]["shares"] == [0.02, 0.08, 0.9]
    assert OptimizerConfig.model_validate(described).tri_stage == TriStageConfig()
