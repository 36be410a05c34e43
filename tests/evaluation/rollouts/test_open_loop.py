from collections.abc import Sequence

import numpy as np
import pytest

from vidrep_pipelines.common.arrays import FloatArray
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.evaluation.rollouts.open_loop import (
    ERROR_ROWS,
    REPLAY_ROWS,
    RecordedMoment,
    open_loop_errors,
    open_loop_metrics,
    replay_open_loop,
)
from vidrep_pipelines.evaluation.rollouts.protocol import Observation, PlanRequest

MEAN = np.array([10.0, 0.0])


def moment(episode: str, frame: int, steps: int = 3) -> RecordedMoment:
    """Of action t the numbers are t and -t."""
    frames = np.arange(frame, frame + steps)
    actions = np.stack([frames, -frames], axis=1).astype(np.float64)
    request = PlanRequest(Observation({}, np.zeros(0)), "go", episode, frame, 0)
    before = np.array([frame - 1.0, 1.0 - frame]) if frame else None
    return RecordedMoment(request, actions, frames, before)


class Off:
    """Plans what will be done, too much by the episode's number in its first number."""

    chunk_length = 3

    def __init__(self) -> None:
        self.batches: list[int] = []

    def plan(self, requests: Sequence[PlanRequest]) -> FloatArray:
        self.batches.append(len(requests))
        return np.stack([self._one(request) for request in requests])

    def _one(self, request: PlanRequest) -> FloatArray:
        frames = np.arange(request.step, request.step + 3)
        return np.stack([frames + float(request.episode), -frames], axis=1)


def test_what_is_predicted_stands_beside_what_was_done_and_the_floors() -> None:
    policy = Off()
    moments = [moment("1", 0), moment("1", 2, steps=2), moment("2", 0)]
    rows = replay_open_loop(iter(moments), policy, MEAN, batch=2)
    assert list(rows.columns) == REPLAY_ROWS and policy.batches == [2, 1]
    assert len(rows) == 2 * (3 + 2 + 3)
    [row] = rows[(rows["episode"] == "1") & (rows["done_at"] == 3) & (rows["dimension"] == 0)].to_dict(
        "records"
    )
    assert (row["frame"], row["step"]) == (2, 1)
    assert (row["recorded"], row["policy"], row["mean_action"], row["last_action"]) == (3, 4, 10, 1)
    first = rows[(rows["frame"] == 0) & (rows["dimension"] == 0)]
    assert set(first["last_action"]) == {10}, "the mean action where nothing was done before"


def test_errors_in_all_by_number_and_by_step_with_intervals_over_episodes() -> None:
    rows = replay_open_loop([moment("1", 4), moment("1", 6), moment("3", 4)], Off(), MEAN, batch=8)
    errors = open_loop_errors(rows, resamples=500)
    assert list(errors.columns) == ERROR_ROWS

    def of(predictor: str, measure: str, part: str = "all", number: int = -1) -> tuple[float, float, float]:
        chosen = errors[
            (errors["predictor"] == predictor) & (errors["measure"] == measure)
            & (errors["part"] == part) & (errors["number"] == number)
        ]  # fmt: skip
        [row] = chosen.itertuples(index=False)
        assert row.episodes == 2 and row.moments == 3
        return row.value, row.low, row.high

    # Off by 1, 1 and 3 in the first of two numbers; episodes of 2 and 1 moments.
    assert of("policy", "absolute")[0] == pytest.approx((1 + 1 + 3) / 3 / 2)
    assert of("policy", "squared")[0] == pytest.approx((1 + 1 + 9) / 3 / 2)
    assert of("policy", "absolute", "dimension", 0) == pytest.approx((5 / 3, 1, 3))
    assert of("policy", "absolute", "dimension", 1) == (0, 0, 0)
    assert of("last_action", "absolute", "step", 0)[0] == 1
    assert of("last_action", "squared", "step", 2) == (9, 9, 9)
    value = of("policy", "absolute", "step", 1)[0] - of("last_action", "absolute", "step", 1)[0]
    assert of("policy_less_last_action", "absolute", "step", 1)[0] == pytest.approx(value)
    metrics = open_loop_metrics(errors)
    assert metrics["squared_error_policy"] == pytest.approx(11 / 6)
    assert metrics.keys() >= {"absolute_error_mean_action", "absolute_error_policy_less_mean_action"}


def test_what_cannot_be_compared_is_refused() -> None:
    class Other(Off):
        def __init__(self, chunk: FloatArray) -> None:
            self._chunk = chunk

        def plan(self, requests: Sequence[PlanRequest]) -> FloatArray:
            return self._chunk[None]

    with pytest.raises(InputError, match=r"1, frame 4: .*of 5 numbers, finite, and those recorded have 2"):
        replay_open_loop([moment("1", 4)], Other(np.zeros((3, 5))), MEAN, batch=1)
    with pytest.raises(InputError, match="not all finite"):
        replay_open_loop([moment("1", 4)], Other(np.full((3, 2), np.inf)), MEAN, batch=1)
    with pytest.raises(InputError, match="no recorded moment"):
        replay_open_loop([], Off(), MEAN, batch=1)
